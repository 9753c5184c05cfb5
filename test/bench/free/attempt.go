package free

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"weir/engine"
	"weir/mist"
)

// attempt is one that was added.
type attempt struct {
	engine  *Engine
	name    engine.Name
	folder  string
	id      int
	pushes  map[int]engine.Push
	open    int // renditions that are not pushed
	begun   time.Time
	started bool
	alive   bool
}

// record is a push, from its begin to its end.
func (e *Engine) record(a *attempt, id int, path string) {
	e.Gate.wait()
	if err := leave(path); err != nil {
		e.Failed(err)
		return
	}
	e.mu.Lock()
	if a.open--; a.open == 0 {
		e.Marks.Mark(a.name.Transcode, Pushed)
	}
	e.mu.Unlock()
	stream := mist.Name(a.name).Rendition()
	e.post(string(mist.TriggerRecordingEnd), fmt.Sprintf("%s\n%s\nHTTPTS\n%d\n7\n1795354931\n1795354938\n%d\n23\n%d\nCLEAN_INTENDED_STOP\nplanned stopping point reached\n",
		stream, path, len(freeFile), freeMS, freeMS+23))
	e.mu.Lock()
	delete(a.pushes, id)
	e.mu.Unlock()
	target := path + "?video=0&audio=none&recstart=-1&waittrackcount=1&recstop=20000"
	e.post(string(mist.TriggerPushEnd), fmt.Sprintf("%d\n%s\n%s\n%s\n[[1795354931,\"INFO\",\"Recording will stop at timestamp 20000 ms\",\"%s\"]]\n{\"bytes\":%d,\"mediatime\":%d}\n",
		id, stream, target, target, stream, len(freeFile), freeMS))
}

func (a *attempt) String() string { return filepath.Base(a.folder) }

func (a *attempt) ID() int { return a.id }

func (a *attempt) Alive() bool {
	a.engine.mu.Lock()
	defer a.engine.mu.Unlock()
	return a.alive
}

func (*attempt) End(context.Context) (engine.End, error) {
	return engine.End{Text: "exit status 0"}, nil
}

func (a *attempt) Terminate(context.Context, time.Duration) (bool, error) {
	a.engine.mu.Lock()
	defer a.engine.mu.Unlock()
	a.alive = false
	return true, nil
}

func (a *attempt) Kill(ctx context.Context) error {
	_, err := a.Terminate(ctx, 0)
	return err
}

func (a *attempt) Stop(ctx context.Context, grace time.Duration) error {
	_, err := a.Terminate(ctx, grace)
	return err
}
