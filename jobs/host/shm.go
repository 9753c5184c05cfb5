package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"weir/engine"
)

const (
	// pageGrace is how long after its attempt was cleaned up a page is Mist's own to give
	// back: it goes on in the background for some seconds.
	pageGrace = 30 * time.Second
	// strangeFor is how old a page is that no row knows of, and that nothing runs for,
	// before it is nobody's: no attempt takes as long (transcodeTimeout).
	strangeFor = 24 * time.Hour
)

// sweepShm removes shared memory of streams that no open attempt owns and that nothing
// runs for: what Mist's inputs leave when they are killed. It is as large as their source.
func (h *Host) sweepShm(ctx context.Context, l *look) error {
	pages, err := h.Engine.Memory()
	if err != nil {
		return fmt.Errorf("sweep shared memory: %w", err)
	}
	if len(pages) == 0 {
		return nil
	}
	strange := map[engine.Name]bool{}
	for _, page := range pages {
		if l.attempts[page.Name] == nil {
			strange[page.Name] = true
		}
	}
	known, err := h.known(ctx, strange)
	if err != nil {
		return fmt.Errorf("sweep shared memory: %w", err)
	}
	orphan := map[engine.Name]bool{}
	for _, page := range pages {
		is, row := known[page.Name]
		orphan[page.Name] = strange[page.Name] && (row && is.CleanedAt != nil && h.clock.now().Sub(*is.CleanedAt) >= pageGrace ||
			!row && time.Since(page.MadeAt) >= strangeFor)
	}
	// Behind the rows: what starts now is of an open attempt.
	used, err := h.Engine.InUse()
	if err != nil {
		return fmt.Errorf("sweep shared memory: %w", err)
	}
	for _, page := range pages {
		if !orphan[page.Name] || used[page.Name] {
			continue
		}
		if err := os.Remove(page.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			// Another user's: that Mist is not ours.
			h.Log.WarnContext(h.about(ctx, page.Name), "orphan memory stays", "page", page.Path, "error", err)
			continue
		}
		h.Log.WarnContext(h.about(ctx, page.Name), "orphan memory removed", "page", page.Path, "bytes", page.Bytes)
	}
	return nil
}
