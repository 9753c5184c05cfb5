package media

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// followEvery is how often a file that grows is looked at. Mist writes in pieces of a segment.
	followEvery = 100 * time.Millisecond

	// followNice leaves the host's cores to the transcodes that run beside it, until the push is over
	// and everything waits for what is left.
	followNice = "10"
)

// A Following decodes a pushed file while Mist writes it, and finishes it beside that, so that at
// the push's end little is left to do. What it finds is evidence for Judge, and what it makes is for
// Finish; without it they do so by themselves, so that a lost Following costs time and nothing else.
type Following struct {
	over    func()
	stop    context.CancelFunc
	done    chan struct{}
	decoded *Decoded // read after done
	made    chan struct{}
	draft   *drafted // read after made
}

// Follow starts to decode a pushed file that grows, and to finish it in out's folder; Finish gives it
// its name. It reads on until Over, and ends before when ctx does or when something does not decode.
// It holds two processes and none of the file.
func (t *Tools) Follow(ctx context.Context, pushed Pushed, out string) *Following {
	ctx, stop := context.WithCancel(ctx)
	over := make(chan struct{})
	f := &Following{over: sync.OnceFunc(func() { close(over) }), stop: stop, done: make(chan struct{}), made: make(chan struct{})}
	go func() {
		defer close(f.done)
		f.decoded = t.follow(ctx, pushed.Path, over)
	}()
	go func() {
		defer close(f.made)
		f.draft = t.draft(ctx, &pushed, out, over)
	}()
	go func() {
		<-f.done
		<-f.made
		stop()
	}()
	return f
}

// Over tells that the file is whole: what is left of it is decoded, and no more is waited for.
func (f *Following) Over() { f.over() }

// Stop ends it, whatever it was at, and returns when its processes are gone, and what it made too,
// unless Finish has taken it.
func (f *Following) Stop() {
	f.stop()
	<-f.done
	<-f.made
	if f.draft != nil {
		_ = os.Remove(f.draft.path) // it goes with its folder else
	}
}

// drafted is the finished file, nil where there is none. It waits for the end, which comes after
// Over or Stop.
func (f *Following) drafted(ctx context.Context) *drafted {
	if f == nil {
		return nil
	}
	select {
	case <-f.made:
		return f.draft
	case <-ctx.Done():
		return nil
	}
}

// Decoded is what was found, nil where there is no evidence: something did not decode, or could not
// be read, or it was stopped, or there is no Following. It waits for the end, which comes after
// Over or Stop.
func (f *Following) Decoded(ctx context.Context) *Decoded {
	if f == nil {
		return nil
	}
	select {
	case <-f.done:
		return f.decoded
	case <-ctx.Done():
		return nil
	}
}

// follow gives the evidence or nothing: whatever went wrong, Judge finds out for itself.
func (t *Tools) follow(ctx context.Context, path string, over <-chan struct{}) *Decoded {
	file, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer file.Close()
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	sum := newCodedSum()
	demux := &demuxer{each: sum.add}
	grown := &growing{file: file, ctx: ctx, over: over, look: tick.C}
	var frames frameCount
	args := append([]string{"-n", followNice, t.ffmpeg()}, decodeArgs("-protocol_whitelist", "pipe", "-f", "mpegts", "-i", "pipe:0")...)
	err = runWith(ctx, "nice", &frames, func(cmd *exec.Cmd) {
		cmd.Stdin = io.TeeReader(grown, demux)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		grown.atEnd = func() { raise(cmd.Process.Pid) }
	}, args...)
	if err != nil {
		return nil
	}
	if err := demux.end(); err != nil || !grown.ended || int64(frames) != sum.pictures {
		return nil
	}
	return sum.decoded()
}

// raise gives a process group, which has all its threads, this process's own priority. Who may not
// do that waits for longer.
func raise(group int) {
	const lowest = 20 // the system call gives it less the niceness
	if own, err := unix.Getpriority(unix.PRIO_PROCESS, 0); err == nil {
		_ = unix.Setpriority(unix.PRIO_PGRP, group, lowest-own)
	}
}

// growing reads a file that is being written, and waits at its end for more until it is told that
// there is none.
type growing struct {
	file *os.File
	ctx  context.Context //nolint:containedctx // of the one reading that it is made for
	over <-chan struct{}
	look <-chan time.Time
	// atEnd is called once it is known where the file ends.
	atEnd func()
	ended bool
}

func (g *growing) Read(p []byte) (int, error) {
	for {
		over := false
		select { // before the read: what is written before it is told is read
		case <-g.over:
			over = true
			if g.atEnd != nil {
				g.atEnd()
				g.atEnd = nil
			}
		default:
		}
		n, err := g.file.Read(p)
		switch {
		case n > 0:
			return n, nil
		case !errors.Is(err, io.EOF):
			return 0, fmt.Errorf("follow %s: %w", g.file.Name(), err)
		case over:
			g.ended = true
			return 0, io.EOF
		}
		select {
		case <-g.over:
		case <-g.look:
		case <-g.ctx.Done():
			return 0, g.ctx.Err()
		}
	}
}

// decodeArgs are those of an ffmpeg that decodes a file's video and lists its frames. The filter
// that smooths the edges of blocks only costs time: it reads no bit of the file. It has one thread:
// with threads for frames, ffmpeg shows a reordered frame before the one that decodes it has marked
// it as damaged, and loses the mark (5.1, 1 run in 50); with threads for slices it marks none.
func decodeArgs(input ...string) []string {
	args := append([]string{"-nostdin", "-hide_banner", "-loglevel", "error", "-xerror", "-copyts", "-skip_loop_filter", "all", "-threads", "1"}, input...)
	return append(append(args, "-map", "0:v:0"), new(frameList).arguments("pipe:1")...)
}

// A frameCount counts the frames of a listing as [frameList] reads it.
type frameCount int64

// Write takes the listing in pieces of any size.
func (c *frameCount) Write(p []byte) (int, error) {
	// Every line but those of the head, which begin with a #, is a frame.
	*c += frameCount(bytes.Count(p, []byte{'\n'}) - bytes.Count(p, []byte{'#'}))
	return len(p), nil
}
