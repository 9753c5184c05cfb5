package free

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"weir/engine"
	"weir/jobs/host"
	"weir/mist"
)

var _ host.Engine = (*Engine)(nil)

// Engine is a Mist that tells of two lists of tracks once it is started, and writes each
// file at once, of which it posts what Mist posts.
type Engine struct {
	// Triggers listens to what Mist posts.
	Triggers http.Handler
	// Failed is told of what went wrong.
	Failed func(error)
	// Marks are when each lifecycle came to what; nil: nobody takes them.
	Marks *Marks
	// Gate holds what is pushed; nil: it is open.
	Gate *Gate

	next     atomic.Int64
	mu       sync.Mutex
	attempts map[engine.Name]*attempt
}

// Info implements host.Engine.
func (*Engine) Info(context.Context) (engine.Info, error) {
	return engine.Info{Version: "free", IID: "1"}, nil
}

// Listen implements host.Engine.
func (*Engine) Listen(context.Context, string) (bool, error) { return false, nil }

// PlanSize implements host.Engine.
func (*Engine) PlanSize(source, box engine.Size) engine.SizePlan {
	return (*mist.Engine)(nil).PlanSize(source, box)
}

// Add implements host.Engine.
func (e *Engine) Add(_ context.Context, name engine.Name, _ string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.attempts == nil {
		e.attempts = map[engine.Name]*attempt{}
	}
	if e.attempts[name] == nil {
		e.attempts[name] = &attempt{engine: e, name: name, pushes: map[int]engine.Push{}}
	}
	return nil
}

// Start implements host.Engine.
func (e *Engine) Start(_ context.Context, task *engine.Task) (engine.Process, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	a := e.attempts[task.Name]
	if a == nil {
		return nil, errors.New("it was not added")
	}
	a.folder, a.id, a.open, a.begun, a.started, a.alive = task.Folder, int(e.next.Add(1)), len(task.Profiles), time.Now(), true, true
	e.Marks.Mark(task.Name.Transcode, Started)
	renditions := len(task.Profiles)
	go func() {
		for _, tracks := range []int{1, renditions} {
			e.post(string(mist.TriggerLiveTrackList), Tracks(a.name, tracks))
		}
	}()
	return a, nil
}

// Attach implements host.Engine.
func (e *Engine) Attach(process string) (engine.Process, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, a := range e.attempts {
		if a.String() == process {
			return a, nil
		}
	}
	return nil, fmt.Errorf("no process %q", process)
}

// Push implements host.Engine.
func (e *Engine) Push(_ context.Context, name engine.Name, path string, _ int, _ int64) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	a := e.attempts[name]
	if a == nil {
		return 0, engine.ErrPushNotStarted
	}
	rendition, _ := engine.RenditionOf(path)
	for id, push := range a.pushes {
		if push.Rendition == rendition {
			return id, nil
		}
	}
	id := int(e.next.Add(1))
	a.pushes[id] = engine.Push{ID: id, Name: name, Rendition: rendition}
	go e.record(a, id, path)
	return id, nil
}

// StopPush implements host.Engine.
func (*Engine) StopPush(context.Context, int) error { return nil }

// Remove implements host.Engine.
func (e *Engine) Remove(_ context.Context, name engine.Name) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.attempts, name)
	return nil
}

// Look implements host.Engine.
func (e *Engine) Look(_ context.Context, names ...engine.Name) (engine.Look, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	look := engine.Look{Running: map[engine.Name]bool{}, NewestMS: map[engine.Name]int64{}, Processes: map[int]engine.Report{}}
	see := func(a *attempt) {
		// What is held goes on and on, without coming to its end.
		media := int64(freeMS)
		if e.Gate.isShut() {
			media = min(freeMS-1, time.Since(a.begun).Milliseconds()/freeSlow)
		}
		look.Running[a.name], look.NewestMS[a.name] = a.alive, media
		for _, push := range a.pushes {
			push.MediaMS = media
			look.Pushes = append(look.Pushes, push)
		}
		look.Processes[a.id] = engine.Report{SentMS: media, ReceivedMS: media}
	}
	if len(names) == 0 {
		for _, a := range e.attempts {
			see(a)
		}
	}
	for _, name := range names {
		if a := e.attempts[name]; a != nil {
			see(a)
		}
	}
	return look, nil
}

// Added implements host.Engine.
func (e *Engine) Added(context.Context) ([]engine.Name, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	var names []engine.Name
	for name := range e.attempts {
		names = append(names, name)
	}
	return names, nil
}

// Find implements host.Engine.
func (e *Engine) Find() ([]engine.Found, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	var found []engine.Found
	for _, a := range e.attempts {
		if a.alive {
			found = append(found, engine.Found{Process: a, Folder: a.folder})
		}
	}
	return found, nil
}

// InUse implements host.Engine.
func (e *Engine) InUse() (map[engine.Name]bool, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	used := map[engine.Name]bool{}
	for name, a := range e.attempts {
		used[name] = a.alive
	}
	return used, nil
}

// Memory implements host.Engine.
func (*Engine) Memory() ([]engine.Memory, error) { return nil, nil }

// Log implements host.Engine.
func (*Engine) Log(string) (engine.Log, error) {
	return engine.Log{Reading: true, Posted: true}, nil
}

// Tracks implements host.Engine.
func (*Engine) Tracks(string) ([]engine.Track, error) { return nil, nil }

// LastWords implements host.Engine.
func (*Engine) LastWords(string, int64) (string, error) { return "", nil }

// TrimLog implements host.Engine.
func (*Engine) TrimLog(string) error { return nil }
