package livepeer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"weir/internal/mistsim/shm"
	"weir/internal/mistsim/ts"
)

const (
	exitOK     = 0
	exitFailed = 1 // start-up failures only; whatever happens later is a 0
	// maxOptions bounds the configuration on standard input.
	maxOptions = 4 << 20
	// missingPause is how long a start takes to notice that its input is gone.
	missingPause = 500 * time.Millisecond
	// minKeys: a track with one keyframe is never selected, and the process
	// waits for it without an end.
	minKeys = 2
)

// Process is one run of the stand-in.
type Process struct {
	// Socket is the host's socket; see shm.Socket.
	Socket string
	// Stdin holds the configuration.
	Stdin io.Reader
	// Stdout takes what it is, where that is asked for.
	Stdout io.Writer
	// Stderr takes log lines in Mist's form.
	Stderr io.Writer

	pid      int
	dir      string // the host's folder
	link     *shm.Client
	opt      *options
	source   shm.Source
	track    shm.SourceTrack
	id       string // transcode id
	began    time.Time
	reason   string
	http     *http.Client
	logMu    sync.Mutex
	upstream bool
	ordinals map[string]int
	// initialized holds the ids of tracks that were announced in the log.
	initialized map[int]bool
	statsMu     sync.Mutex
	bc          string
	switches    uint64
	non200      uint64
	timeouts    uint64
	parse       uint64
	sinkMS      uint64
	sourceMS    uint64
	sinkTrack   []int
	cookie      string
	slotMu      sync.Mutex
	slots       [slotCount]slot
	insertTurn  int
}

// describe says what the program is, as the controller asks at its start. The real one
// says more, and ends with -1 as well.
func (p *Process) describe() int {
	_, _ = io.WriteString(p.Stdout, `{"name":"Livepeer","required":{"target_profiles":{"type":"sublist"}}}`+"\n")
	return exitDescribed
}

// exitDescribed is -1, as a parent sees it.
const exitDescribed = 255

// Run does the work of the process and returns its exit code. It blocks until
// the source is through, SIGTERM comes, uploads fail for good, or the host goes
// away; for a source of one GOP or of no media it blocks until the last of these.
// Where the real process crashes, it ends by the same signal and does not return.
func (p *Process) Run(ctx context.Context, args []string) int {
	if slices.Equal(args, []string{"-j"}) {
		return p.describe()
	}
	p.pid, p.began, p.ordinals, p.initialized = os.Getpid(), time.Now(), map[string]int{}, map[int]bool{}
	p.dir, p.link = filepath.Dir(p.Socket), shm.Dial(p.Socket)
	defer p.link.Close()
	p.http = &http.Client{Transport: &http.Transport{}}
	defer p.http.CloseIdleConnections()

	if err := p.configure(args); err != nil {
		p.log("FAIL", err.Error())
		return exitFailed
	}
	if slices.Contains(args, "--kickoff") {
		p.log("INFO", "Starting MistInTS -s "+p.opt.Source)
	}
	if err := p.link.Call(ctx, "/kickoff", shm.Attach{PID: p.pid, Source: p.opt.Source}, &p.source); err != nil {
		p.log("FAIL", err.Error())
		return exitFailed
	}
	p.upstream = p.source.Upstream
	if p.source.Started {
		p.startInput()
	}
	switch p.source.State {
	case shm.Missing:
		pause(ctx, missingPause)
		p.log("FAIL", "Input process shut down before stream coming online, aborting.")
		p.log("FAIL", "Could not connector and/or start source stream!")
		return exitFailed
	case shm.Booting:
		return p.hang(ctx, "Waiting for stream to boot...")
	}
	pause(ctx, p.source.Timing.Poll)
	video := slices.DeleteFunc(slices.Clone(p.source.Tracks), func(t shm.SourceTrack) bool { return !ts.IsVideo(t.Codec) })
	if len(video) == 0 {
		pause(ctx, p.source.Timing.TrackWait)
		p.log("FAIL", "No valid source track!")
		return exitFailed
	}
	p.track = slices.MaxFunc(video, func(a, b shm.SourceTrack) int { return int(a.Bytes - b.Bytes) })
	if p.track.Keys < minKeys {
		return p.hang(ctx, fmt.Sprintf("Would select no tracks (%d total) for stream!", len(p.source.Tracks)))
	}
	switch err := p.prepare(ctx); {
	case errors.Is(err, errUnanswered):
		return p.wait(ctx)
	case errors.Is(err, errDivision):
		p.log("FAIL", err.Error())
		return crash(syscall.SIGFPE)
	case err != nil:
		p.log("FAIL", err.Error())
		return exitFailed
	}
	if p.source.Hang != nil {
		return p.hangAtStart(ctx, p.source.Hang)
	}
	return p.transcode(ctx)
}

func (p *Process) configure(args []string) error {
	var data []byte
	if len(args) > 0 && strings.HasPrefix(args[0], "{") {
		data = []byte(args[0])
	} else {
		p.log("INFO", "Reading configuration from standard input")
		var err error
		if data, err = io.ReadAll(io.LimitReader(p.Stdin, maxOptions)); err != nil {
			return fmt.Errorf("read configuration: %w", err)
		}
	}
	var err error
	p.opt, err = parseOptions(data)
	return err
}

// transcode runs source, uploads and sink to their end.
func (p *Process) transcode(ctx context.Context) int {
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	defer signal.Stop(terminated)

	host, err := p.link.Stream(ctx, "/attach", shm.Attach{PID: p.pid, Source: p.opt.Source, Sink: p.opt.Sink})
	if err != nil {
		p.log("FAIL", err.Error())
		return exitFailed
	}
	defer host.Close()
	active, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	for i := range p.slots {
		p.slots[i].read = true
	}
	var all sync.WaitGroup
	all.Go(func() {
		defer stop(errSourceEnd)
		p.log("INFO", "Running source thread...")
		if err := p.readSource(active); err != nil && active.Err() == nil {
			p.log("FAIL", err.Error())
		}
		p.log("INFO", "Stopping source thread...")
	})
	for i := range p.slots {
		all.Go(func() { p.upload(active, ctx, stop, i) })
	}
	all.Go(func() {
		_, _ = io.Copy(io.Discard, host)
		stop(errHostGone)
	})
	p.log("INFO", "Input started")
	p.watch(active, stop, terminated)
	p.log("INFO", "Clean shutdown; joining threads")

	cause := context.Cause(active)
	if errors.Is(cause, errGaveUp) {
		p.abort(ctx)
	}
	_ = p.link.Call(ctx, "/detach", shm.Attach{PID: p.pid}, nil)
	_ = host.Close()
	all.Wait()
	if !errors.Is(cause, errSourceEnd) {
		p.reason = cause.Error()
	}
	p.log("INFO", "Shutdown reason: "+p.reason)
	return exitOK
}

// Why a transcode stopped.
var (
	errSourceEnd  = errors.New("end of stream")
	errGaveUp     = errors.New("too many upload failures")
	errHostGone   = errors.New("buffer requested shutdown")
	errTerminated = errors.New("signal Terminated (15)")
)

// watch sends status updates until the transcode stops.
func (p *Process) watch(active context.Context, stop context.CancelCauseFunc, terminated <-chan os.Signal) {
	tick := time.NewTicker(p.source.Timing.Stats)
	defer tick.Stop()
	for {
		select {
		case <-active.Done():
			return
		case <-terminated:
			p.log("INFO", "Received signal Terminated (15)")
			stop(errTerminated)
			return
		case <-tick.C:
			_ = p.link.Call(active, "/stats", p.stats(), nil)
		}
	}
}

// stats is the status update. percent_done is computed in unsigned numbers, so
// it underflows until the first rendition arrives.
func (p *Process) stats() *shm.Stats {
	p.statsMu.Lock()
	defer p.statsMu.Unlock()
	info := map[string]any{
		"bc": p.bc, "lp_id": p.id, "switches": p.switches, "fail_non200": p.non200, "fail_timeout": p.timeouts,
		"fail_parse": p.parse, "fail_other": 0, "sinkTime": p.sinkMS, "sourceTime": p.sourceMS,
	}
	start, end := uint64(p.track.FirstMS), uint64(p.track.LastMS)
	if end > start {
		info["percent_done"] = 100 * (p.sinkMS - start) / (end - start)
	}
	return &shm.Stats{
		PID: p.pid, ActiveSeconds: int64(time.Since(p.began) / time.Second),
		SourceTracks: []int{p.track.Index}, SinkTracks: slices.Clone(p.sinkTrack), Info: info,
	}
}

// log writes a line as the tree's formatter does.
func (p *Process) log(kind, message string) { p.logAt(kind, "mistsim", message) }

// logAt is log for a line whose place in Mist's source is known.
func (p *Process) logAt(kind, place, message string) {
	stream := ""
	if p.opt != nil {
		stream = p.opt.Source + "→" + p.opt.Sink
	}
	line := fmt.Sprintf("%s|MistProcLivepeer|%d|%s|%s|%s\n", kind, p.pid, place, stream, message)
	if !p.upstream {
		if stream != "" {
			stream = ":" + stream
		}
		line = fmt.Sprintf("[%s] MistProcLivepeer%s (%d) %s: %s\n", time.Now().Format(time.DateTime), stream, p.pid, kind, message)
	}
	p.logMu.Lock()
	defer p.logMu.Unlock()
	_, _ = io.WriteString(p.Stderr, line)
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

func random(n int) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	b := make([]byte, n)
	for i := range b {
		b[i] = letters[rand.IntN(len(letters))]
	}
	return string(b)
}
