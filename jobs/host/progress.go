package host

import (
	"context"
	"fmt"
	"sync"
	"time"

	"weir/db/dbsqlc"
	"weir/engine"
)

// progress is how far this host's attempts are, until it is told: all in one statement.
type progress struct {
	mu     sync.Mutex
	ratios map[engine.Name]float64
	pushed map[pushedOf]int64
}

type pushedOf struct {
	name      engine.Name
	rendition string
}

// ratio notes an attempt's.
func (p *progress) ratio(name engine.Name, ratio float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ratios == nil {
		p.ratios = map[engine.Name]float64{}
	}
	p.ratios[name] = ratio
}

// push notes how much of a rendition is pushed.
func (p *progress) push(name engine.Name, rendition string, ms int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pushed == nil {
		p.pushed = map[pushedOf]int64{}
	}
	p.pushed[pushedOf{name, rendition}] = ms
}

// take gives what is to be told.
func (p *progress) take() (told dbsqlc.TranscodeTellParams, some bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for name, ratio := range p.ratios {
		told.Transcodes = append(told.Transcodes, name.Transcode)
		told.Attempts = append(told.Attempts, int32(name.Attempt))
		told.Ratios = append(told.Ratios, ratio)
	}
	for of, ms := range p.pushed {
		told.Of, told.OfAttempts = append(told.Of, of.name.Transcode), append(told.OfAttempts, int32(of.name.Attempt))
		told.Names, told.Pushed = append(told.Names, of.rendition), append(told.Pushed, ms)
	}
	p.ratios, p.pushed = nil, nil
	return told, len(told.Transcodes) > 0
}

// tellEvery is how often progress is written down: Studio hears of it every 30 s at the
// least, and each time costs a transaction.
const tellEvery = 5 * time.Second

// tell writes down how far this host's attempts are. Nothing depends on it.
func (h *Host) tell(ctx context.Context) error {
	told, some := h.progress.take()
	if !some {
		return nil
	}
	if err := dbsqlc.New().TranscodeTell(ctx, h.DB, told); err != nil {
		return fmt.Errorf("tell the progress of host %s: %w", h.ID, err)
	}
	return nil
}
