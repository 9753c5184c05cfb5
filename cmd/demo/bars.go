package main

import (
	"sync"

	"github.com/vbauerster/mpb/v8"

	"weir/internal/devstack"
)

// bars is a bar per rendition.
type bars struct {
	all  *mpb.Progress
	each []*mpb.Bar

	mu    sync.Mutex
	state map[string]string // by rendition; read while drawing
}

func (b *bars) stateOf(rendition string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.state[rendition]
}

func (b *bars) show(t *devstack.Transcode) {
	b.mu.Lock()
	for _, r := range t.Renditions {
		b.state[r.Name] = r.State
	}
	b.mu.Unlock()
	for i, bar := range b.each {
		if i >= len(t.Renditions) {
			break
		}
		ratio := t.Renditions[i].Ratio
		if t.Renditions[i].State == "ok" {
			ratio = 1
		}
		bar.SetCurrent(int64(ratio * barTotal))
	}
}

// done leaves the bars as they are on the screen.
func (b *bars) done() {
	for _, bar := range b.each {
		bar.Abort(false)
	}
	b.all.Wait()
}
