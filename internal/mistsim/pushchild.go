package mistsim

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"weir/internal/mistsim/shm"
)

// noTime is how Mist shows a first packet time that never came.
const noTime = "18446744073709551615"

// RunPush is the body of a push process. It asks the controller behind the
// socket for its order, writes the file, fires RECORDING_END and returns the
// exit code. SIGTERM ends the recording cleanly. It returns without a word when
// the controller goes away.
func RunPush(ctx context.Context, socket string) int {
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM, syscall.SIGINT)
	defer signal.Stop(terminated)
	client := shm.Dial(socket)
	defer client.Close()
	p := &recording{client: client, pid: os.Getpid(), began: time.Now()}
	if err := p.run(ctx, terminated); err != nil {
		fmt.Fprintln(os.Stderr, "mistsim push:", err)
		return 1
	}
	return 0
}

// recording is the state of a push process.
type recording struct {
	client *shm.Client
	pid    int
	began  time.Time
	order  shm.PushOrder

	bytes   int64
	first   int64
	last    int64
	edge    int64 // newest time in the stream
	started bool
}

func (p *recording) run(ctx context.Context, terminated <-chan os.Signal) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	body, err := p.client.Stream(ctx, "/push", shm.Attach{PID: p.pid})
	if err != nil {
		return err
	}
	defer body.Close()
	in := bufio.NewReader(body)
	if err := readLine(in, &p.order); err != nil {
		return err
	}
	p.announce(ctx)

	chunks := make(chan shm.PushChunk)
	media := make(chan []byte)
	broken := make(chan error, 1)
	go func() { // ends with the stream, which ends with ctx
		for {
			var c shm.PushChunk
			if err := readLine(in, &c); err != nil {
				broken <- err
				return
			}
			var data []byte
			if c.Bytes > 0 {
				data = make([]byte, c.Bytes)
				if _, err := io.ReadFull(in, data); err != nil {
					broken <- err
					return
				}
			}
			select {
			case chunks <- c:
			case <-ctx.Done():
				return
			}
			select {
			case media <- data:
			case <-ctx.Done():
				return
			}
		}
	}()

	if p.order.Track < 0 {
		return p.end(ctx, "UNKNOWN", "no tracks selected", 0)
	}
	file, failure := create(p.order.Path)
	if failure != nil {
		p.say(ctx, "FAIL", fmt.Sprintf("Could not create %s: %v", filepath.Dir(p.order.Path), failure))
		p.say(ctx, "ERROR", fmt.Sprintf("Cannot not create file %s: could not create parent folder", p.order.Path))
		return p.end(ctx, "UNKNOWN", "Could not connect to the target for recording", 0)
	}
	defer file.Close()
	p.say(ctx, "INFO", fmt.Sprintf("Recording %s to %s with HTTPTS format", p.order.Stream, p.order.Path))
	stats := time.NewTimer(p.order.Tick)
	defer stats.Stop()
	for {
		select {
		case <-terminated:
			return p.end(ctx, "CLEAN_SIGNAL", fmt.Sprintf("signal Terminated (15) from process %d", os.Getppid()), 0)
		case err := <-broken:
			return fmt.Errorf("%w: %w", shm.ErrGone, err)
		case <-stats.C:
			p.report(ctx)
			stats.Reset(p.order.Stats)
		case c := <-chunks:
			data := <-media
			if c.End != "" {
				if c.LastMS > 0 {
					p.say(ctx, "INFO", "End of planned recording reached")
					p.say(ctx, "INFO", "End of planned recording reached")
					p.say(ctx, "INFO", "Shutting down because "+c.Text)
				}
				return p.end(ctx, c.End, c.Text, c.LastMS)
			}
			if _, err := file.Write(data); err != nil {
				return p.end(ctx, "WRITE_FAILURE", err.Error(), 0)
			}
			p.wrote(c, len(data))
		}
	}
}

func create(path string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	return os.Create(path)
}

func (p *recording) wrote(c shm.PushChunk, n int) {
	if !p.started {
		p.started, p.first = true, c.MS
	}
	p.last, p.edge = c.MS, max(p.edge, c.LastMS)
	p.bytes += int64(n)
}

// announce logs what a push logs before its first packet.
func (p *recording) announce(ctx context.Context) {
	if i := strings.LastIndexByte(p.order.Target, '?'); i >= 0 {
		p.say(ctx, "INFO", "Stripping target options: "+p.order.Target[i+1:])
	}
	if p.order.Track < 0 {
		return
	}
	if p.order.StartMS != p.order.AskedMS {
		p.say(ctx, "WARN", fmt.Sprintf("Record begin at %d ms not available, starting at %d ms instead", p.order.AskedMS, p.order.StartMS))
	}
	p.say(ctx, "INFO", "Recording will start at timestamp "+p.time(p.order.StartMS))
	if p.order.StopMS > 0 {
		p.say(ctx, "INFO", "Recording will stop at timestamp "+p.time(p.order.StopMS))
	}
}

// time is a media time as the tree's logs show it.
func (p *recording) time(ms int64) string {
	if !p.order.Upstream {
		return fmt.Sprintf("%d ms", ms)
	}
	d := time.Duration(ms) * time.Millisecond
	return fmt.Sprintf("%dd%02dh%02dm%02ds.%03d", d/(24*time.Hour), d/time.Hour%24, d/time.Minute%60, d/time.Second%60, ms%1000)
}

// report sends a status update. Before the first packet it has nothing to say.
func (p *recording) report(ctx context.Context) {
	age := time.Since(p.began)
	status := object{"active_seconds": int64(age / time.Second), "bytes": p.bytes, "mediatime": p.edge, "tracks": []int{p.order.Track}}
	if p.order.Upstream {
		status["active_ms"] = age.Milliseconds()
		status["current_target"] = p.order.Path
		status["latency"] = 0
		status["media_tx"] = p.last - p.first
	}
	_ = p.client.Call(ctx, "/pushed", shm.PushStatus{PID: p.pid, Status: status}, nil)
}

// end fires RECORDING_END: twelve lines and a newline. lastMS is the time of the
// packet that stopped the recording, if one did.
func (p *recording) end(ctx context.Context, reason, text string, lastMS int64) error {
	p.say(ctx, "INFO", "Client handler shutting down, exit reason: "+text)
	if p.order.Handler != "" {
		p.say(ctx, "INFO", fmt.Sprintf("Executing RECORDING_END trigger: %s (asynchronous)", p.order.Handler))
	}
	now := time.Now()
	last := max(p.last, lastMS)
	first, media := fmt.Sprint(p.first), last-p.first
	if !p.started {
		first, last, media = noTime, 0, 0
	}
	body := joined(
		p.order.Stream, p.order.Path, "HTTPTS", p.bytes, now.Unix()-p.began.Unix(), p.began.Unix(), now.Unix(),
		media, first, last, reason, text, "",
	)
	return p.client.Call(ctx, "/trigger", shm.Trigger{PID: p.pid, Name: recordingEnd, Stream: p.order.Stream, Body: body}, nil)
}

// say adds a line to the push's log in the controller.
func (p *recording) say(ctx context.Context, kind, message string) {
	_ = p.client.Call(ctx, "/log", shm.Log{PID: p.pid, Kind: kind, Message: message, Stream: p.order.Stream}, nil)
}

func readLine(in *bufio.Reader, out any) error {
	line, err := in.ReadBytes('\n')
	if err != nil {
		return err
	}
	return json.Unmarshal(line, out)
}
