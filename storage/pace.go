package storage

import (
	"sync"
	"time"
)

// pace fails the file of a fetch to which less is written than Config.LeastRate asks for:
// a source that sends a byte now and then stalls no connection, and would hold its slot
// for hours. It ends with the call of stop.
func (c *Client) pace(file *partial) (stop func()) {
	over := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() {
		window := time.NewTicker(c.config.RateWindow)
		defer window.Stop()
		least := int64(float64(c.config.LeastRate) * c.config.RateWindow.Seconds())
		for before := int64(0); ; {
			select {
			case <-over:
				return
			case <-window.C:
			}
			now := file.written.Load()
			if now-before < least {
				_ = file.failWith(codedf(CodeSourceTooSlow, "%d bytes came in %s, at least %d are asked for", now-before, c.config.RateWindow, least))
				return
			}
			before = now
		}
	})
	return func() {
		close(over)
		watch.Wait()
	}
}
