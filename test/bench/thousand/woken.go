package thousand

import (
	"context"
	"fmt"
	"maps"
	"time"
)

const (
	// placedAlone are placed one after the other, each beside placedAround on both sides, in which
	// all that one wakes has asked what it asks.
	placedAlone  = 20
	placedAround = 300 * time.Millisecond
	// goalWoken is above what polls that come by chance differ by.
	goalWoken = 3
)

// woken is how many hosts fetch jobs as one transcode is placed, beyond those whose turn it
// was to poll.
func (f *fleet) woken(ctx context.Context, of []*hostProcess, n int) error {
	var others, own, statements float64
	for range placedAlone {
		was, err := countsOf(of)
		if err != nil {
			return err
		}
		if err := pauseFor(ctx, placedAround); err != nil {
			return err
		}
		before, err := countsOf(of)
		if err != nil {
			return err
		}
		if err := f.accept(ctx, heldSource); err != nil {
			return err
		}
		if err := pauseFor(ctx, placedAround); err != nil {
			return err
		}
		after, err := countsOf(of)
		if err != nil {
			return err
		}
		var on string
		if err := f.pool.QueryRow(ctx, `SELECT COALESCE(host_id, '') FROM weir.transcodes ORDER BY created_at DESC LIMIT 1`).Scan(&on); err != nil {
			return fmt.Errorf("read where it was placed: %w", err)
		}
		for id := range after {
			fetched := after[id].Fetches > before[id].Fetches
			switch {
			case id == on && fetched:
				own++
			case id == on:
			case fetched:
				others++
			}
			if id != on {
				statements += float64(after[id].All-before[id].All) - float64(before[id].All-was[id].All)
				if before[id].Fetches > was[id].Fetches {
					others--
				}
			}
		}
	}
	close(f.gate)
	if _, err := f.until(ctx, allEnded); err != nil {
		return err
	}
	f.Add(fmt.Sprintf("one transcode is placed, %d hosts LISTEN: its host fetches it, of each placement", n), "", "", 0, own/placedAlone)
	f.Add("  other hosts that fetch for it", "", fmt.Sprintf("under %d", goalWoken), goalWoken, others/placedAlone).WholeOnly()
	f.Add("  statements of all others for it", "", "", 0, statements/placedAlone)
	return nil
}

// countsOf is what the hosts of some processes have asked so far.
func countsOf(of []*hostProcess) (map[string]hostAsked, error) {
	all := map[string]hostAsked{}
	for _, p := range of {
		counts, err := p.counts()
		if err != nil {
			return nil, err
		}
		maps.Copy(all, counts)
	}
	return all, nil
}
