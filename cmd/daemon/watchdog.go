package main

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

const (
	// readyPatience is how long systemd is left to wait for a daemon that waits itself, for
	// Postgres or its host's row: `systemctl restart` returns when the daemon works, and
	// holds up nothing for long where it can't. Below the unit's TimeoutStartSec.
	readyPatience = time.Minute
	// silentMost is far above a round of a lease: 5 s, and at most 20 s for its statement.
	silentMost = time.Minute
	// probeTimeout: /healthz asks nothing, and answers at once.
	probeTimeout = 5 * time.Second
	// aliveShare: the watchdog is put off several times before it would bite.
	aliveShare = 3
)

// pulse knows when each of the daemon's loops came round last.
type pulse struct {
	mu   sync.Mutex
	last map[string]time.Time
}

// of returns what the loop has to call, and counts from now.
func (p *pulse) of(loop string) (beat func()) {
	beat = func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.last == nil {
			p.last = map[string]time.Time{}
		}
		p.last[loop] = time.Now()
	}
	beat()
	return beat
}

// silent names the first loop that has stood still for longer than that; "" for none.
func (p *pulse) silent(most time.Duration) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, loop := range slices.Sorted(maps.Keys(p.last)) {
		if time.Since(p.last[loop]) > most {
			return loop
		}
	}
	return ""
}

// tellsAlive puts systemd's watchdog off for as long as the daemon's loops come round
// and its API answers, whatever becomes of Postgres and Mist: a restart would not mend
// those.
func (d *daemon) tellsAlive(ctx context.Context, apiOn net.Listener) error {
	every := d.around.service.Watchdog() / aliveShare
	if every == 0 {
		return nil
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if err := d.alive(ctx, apiOn); err == nil {
			d.tell(ctx, d.around.service.Alive())
		} else if ctx.Err() == nil {
			d.log.ErrorContext(ctx, "the watchdog is not put off", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (d *daemon) alive(ctx context.Context, apiOn net.Listener) error {
	if loop := d.pulse.silent(silentMost); loop != "" {
		return fmt.Errorf("the loop of %s has stood still for %s", loop, silentMost)
	}
	if apiOn == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+apiOn.Addr().String()+"/healthz", nil)
	if err != nil {
		return err
	}
	// A connection of its own, so that accepting is looked at too, and no proxy.
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("the API does not answer: %w", err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the API answers /healthz with %d", resp.StatusCode)
	}
	return nil
}

// tellsReady tells systemd when the daemon works, or what it waits for.
func (d *daemon) tellsReady(ctx context.Context) error {
	patience := time.NewTimer(readyPatience)
	defer patience.Stop()
	d.tell(ctx, d.around.service.Status(d.status()))
	select {
	case <-ctx.Done():
		return nil
	case <-d.working:
	case <-patience.C:
		d.tell(ctx, d.around.service.Ready(d.status()))
		select {
		case <-ctx.Done():
			return nil
		case <-d.working:
		}
	}
	d.tell(ctx, d.around.service.Ready(d.status()))
	return nil
}

// status is for `systemctl status`.
func (d *daemon) status() string {
	if d.works.Load() {
		return "works"
	}
	return "waits for Postgres, see its log"
}
