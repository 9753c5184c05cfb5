package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"weir/engine"
	"weir/mist"
	"weir/test/bench/free"
)

const (
	// triggersOffered a second, for triggersFor in a round, are of so many attempts that run.
	triggersOffered = 1000
	triggersFor     = 10 * time.Second
	triggersOf      = apartSlots

	goalTrigger = 5 * time.Millisecond
)

// triggers is how soon triggers of what runs are answered by a daemon in a process of its own, as
// each host has one, beside how soon as many simple updates are committed, in turns.
func (b *bench) triggers(ctx context.Context) (err error) {
	f, err := startApart(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close(context.WithoutCancel(ctx))) }()
	if err := f.lifecycles(ctx, soakWarm); err != nil {
		return err
	}
	bodies, err := f.triggerBodies(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.letGo(ctx)) }()
	if _, err := pgbenchOutput(ctx, string(f.postgres.URL), "-i", "-q", "-s", "1"); err != nil {
		return err
	}
	stopProfile, err := f.profile(ctx)
	if err != nil {
		return err
	}
	var half, most, refused, machine []float64
	for range rounds {
		took, lost, err := f.manyTriggers(ctx, bodies)
		if err != nil {
			return err
		}
		half, most = append(half, free.Share(took, latencyHalf)), append(most, free.Share(took, latencyMost))
		refused = append(refused, float64(lost)/float64(len(took)))
		within, err := pgbenchWithin(ctx, string(f.postgres.URL), acceptClients, triggersOffered)
		if err != nil {
			return err
		}
		machine = append(machine, within)
	}
	b.Add(fmt.Sprintf("%d triggers a second, of %d transcodes that run: answered within, 50 of 100", triggersOffered, triggersOf), "s", "", 0, half...)
	b.Add("  99 of 100", "s", under(goalTrigger), goalTrigger.Seconds(), most...)
	b.Add("  not recorded, of all", "", "none", 0, refused...)
	b.Add(fmt.Sprintf("the machine: %d simple updates of pgbench a second: committed within, 99 of 100", triggersOffered), "s", "", 0, machine...)
	if err := stopProfile(); err != nil {
		return err
	}
	// What was held ends as all else does, or it was nothing that ran.
	if err := f.letGo(ctx); err != nil {
		return err
	}
	return f.drain(ctx)
}

// triggerBodies has so many transcodes stay at running, and is what is posted of each.
func (f *fleet) triggerBodies(ctx context.Context) ([]string, error) {
	if err := f.hold(ctx, triggersOf); err != nil {
		return nil, err
	}
	rows, err := f.pool.Query(ctx, "SELECT id, attempt FROM weir.transcodes WHERE state = 'running'")
	if err != nil {
		return nil, fmt.Errorf("list what runs: %w", err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowToStructByPos[engine.Name])
	if err != nil {
		return nil, fmt.Errorf("list what runs: %w", err)
	}
	if len(names) != triggersOf {
		return nil, fmt.Errorf("%d transcodes run, not %d", len(names), triggersOf)
	}
	bodies := make([]string, len(names))
	for i, name := range names {
		bodies[i] = free.Tracks(name, len(ladder()))
	}
	return bodies, nil
}

// manyTriggers posts them over HTTP as Mist posts them, and says how long each took from when it
// was due, and how many were not recorded.
func (f *fleet) manyTriggers(ctx context.Context, bodies []string) (took []time.Duration, refused int64, err error) {
	took = make([]time.Duration, int(triggersFor.Seconds()*triggersOffered))
	var lost atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	err = evenly(ctx, triggersOffered, len(took), func(i int, due time.Time) {
		group.Go(func() error {
			recorded, err := f.postTrigger(ctx, bodies[i%len(bodies)])
			if took[i] = time.Since(due); err == nil && !recorded {
				lost.Add(1)
			}
			return err
		})
	})
	return took, lost.Load(), errors.Join(err, group.Wait())
}

// postTrigger posts one over HTTP. It is false for one that is answered 503, as where more come
// than are recorded in time.
func (f *fleet) postTrigger(ctx context.Context, body string) (recorded bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, f.triggers, strings.NewReader(body))
	if err != nil {
		return false, fmt.Errorf("post a trigger: %w", err)
	}
	req.Header = free.Header(string(mist.TriggerLiveTrackList))
	resp, err := f.client.Do(req)
	if err != nil {
		return false, fmt.Errorf("post a trigger: %w", err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return false, fmt.Errorf("post a trigger: %w", err)
	}
	switch resp.StatusCode {
	case http.StatusOK:
		return true, nil
	case http.StatusServiceUnavailable:
		return false, nil
	}
	return false, fmt.Errorf("post a trigger: HTTP %d: %s", resp.StatusCode, answer)
}
