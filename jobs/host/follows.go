package host

import (
	"context"
	"os"
	"path/filepath"
	"sync"

	"weir/media"
)

// follows are the pushes of this host that are decoded and finished while they are written,
// by the path of their file, and the sound that is made for them meanwhile, by the prepared
// file's. A lost one costs time: the store then does it by itself.
type follows struct {
	mu      sync.Mutex
	running map[string]*media.Following
	sounds  map[string]*making
	stopped bool
}

// making is the sound of an attempt while it is made.
type making struct {
	stop context.CancelFunc
	done chan struct{}
}

// sound makes the sound of an attempt's renditions unless that is done already. It
// outlives ctx.
func (f *follows) sound(ctx context.Context, tools Media, path string, source media.Source, prepared media.Prepared) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stopped || f.sounds[prepared.Path] != nil {
		return
	}
	if f.sounds == nil {
		f.sounds = map[string]*making{}
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	m := &making{stop: stop, done: make(chan struct{})}
	f.sounds[prepared.Path] = m
	go func() {
		defer close(m.done)
		_ = tools.Sound(ctx, path, source, prepared) // the store tells why it can't be made
	}()
}

// begin follows a push, whose finished file is to be out, unless that is done already. It
// outlives ctx: the supervisor is done before the last store.
func (f *follows) begin(ctx context.Context, tools Media, pushed media.Pushed, out string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stopped || f.running[pushed.Path] != nil {
		return
	}
	if f.running == nil {
		f.running = map[string]*media.Following{}
	}
	_ = os.MkdirAll(filepath.Dir(out), spoolMode) // else the store finishes it, or says why not
	if following := tools.Follow(context.WithoutCancel(ctx), pushed, out); following != nil {
		f.running[pushed.Path] = following
	}
}

// has says whether a push is followed.
func (f *follows) has(path string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.running[path] != nil
}

// over tells that a push is over, and gives what follows it; nil: nothing does.
func (f *follows) over(path string) *media.Following {
	f.mu.Lock()
	defer f.mu.Unlock()
	following := f.running[path]
	if following != nil {
		following.Over()
	}
	return following
}

// drop forgets those whose file goes.
func (f *follows) drop(goes func(path string) bool) {
	f.mu.Lock()
	var dropped []*media.Following
	for path, following := range f.running {
		if goes(path) {
			dropped = append(dropped, following)
			delete(f.running, path)
		}
	}
	var stopped []*making
	for path, m := range f.sounds {
		if goes(path) {
			m.stop()
			stopped = append(stopped, m)
			delete(f.sounds, path)
		}
	}
	f.mu.Unlock()
	for _, following := range dropped {
		following.Stop()
	}
	for _, m := range stopped {
		<-m.done
	}
}

// stop ends them all and begins none any more.
func (f *follows) stop() {
	f.mu.Lock()
	f.stopped = true
	f.mu.Unlock()
	f.drop(func(string) bool { return true })
}
