package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"weir/internal/devstack"
	"weir/jobs"
)

const (
	// curveLength is a source that takes long enough for its end to be told ahead.
	curveLength = time.Minute
	// listeners hear of so many transcodes, each of which tells something every second.
	listeners, listenedTo = 1000, 100
	// listenFor is how long it is measured, listenBefore what they get to settle.
	listenFor, listenBefore = 20 * time.Second, 5 * time.Second
	// swingMean is a Broadcaster's time for a second of media, where it swings, and swingEvery
	// how long it has one speed: a few segments.
	swingMean, swingEvery = 0.45, 3 * time.Second
	// heardLeast is the part of what was told that must have come for the figure to count.
	heardLeast = 0.9
)

// events are what a thousand listeners cost, and how well ends are told.
func (b *bench) events(ctx context.Context) error {
	dir, err := b.stack.Folder.Make("bench")
	if err != nil {
		return err
	}
	if err := b.listened(ctx); err != nil {
		return err
	}
	for _, swings := range []bool{false, true} {
		if err := b.ends(ctx, dir, swings); err != nil {
			return err
		}
	}
	tps, err := pgbench(ctx, string(b.stack.Database), pgbenchClients)
	if err != nil {
		return err
	}
	b.Add(fmt.Sprintf("the machine: pgbench, simple updates, %d clients", pgbenchClients), "tx/s", "", 0, tps)
	return nil
}

// listened is what listeners cost the daemon: on transcodes of a host that is none, so that
// nothing else is done for them.
func (b *bench) listened(ctx context.Context) error {
	db, err := pgx.Connect(ctx, string(b.stack.Database))
	if err != nil {
		return fmt.Errorf("connect to the stack's database: %w", err)
	}
	defer func() { _ = db.Close(context.WithoutCancel(ctx)) }()
	ids, err := makeRunning(ctx, db)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() error { return tellAll(groupCtx, db, ids) })
	share := func(wait time.Duration) (float64, error) {
		before, err := b.daemonTime()
		if err != nil {
			return 0, err
		}
		began := time.Now()
		select {
		case <-time.After(wait):
		case <-groupCtx.Done():
			return 0, context.Cause(groupCtx)
		}
		after, err := b.daemonTime()
		return 100 * (after - before).Seconds() / time.Since(began).Seconds(), err
	}
	silent, err := share(listenFor / 2)
	if err != nil {
		return err
	}
	var heard atomic.Int64
	for i := range listeners {
		group.Go(func() error {
			err := b.stack.API.Follow(groupCtx, "/v1/transcodes/"+ids[i%len(ids)]+"/events", "", func(devstack.Event) bool {
				heard.Add(1)
				return true
			})
			if groupCtx.Err() == nil {
				return errors.Join(err, errors.New("a stream has ended"))
			}
			return groupCtx.Err()
		})
	}
	if _, err := share(listenBefore); err != nil {
		return err
	}
	heard.Store(0)
	loud, err := share(listenFor)
	if err != nil {
		return err
	}
	rate := float64(heard.Load()) / listenFor.Seconds()
	cancel()
	if err := group.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	if rate < heardLeast*listeners {
		return fmt.Errorf("listeners heard %.0f events a second, of %d", rate, listeners)
	}
	b.Add("daemon beside 100 running transcodes that tell something each second, of a core", "%", "", 0, silent)
	b.Add("the same with 1,000 listeners, of a core", "%", fmt.Sprintf("under %d", goalListened), goalListened, loud)
	b.Add("  events that came", "1/s", "", 0, rate)
	if _, err := db.Exec(context.WithoutCancel(ctx), "DELETE FROM weir.transcodes WHERE host_id = 'nobody'"); err != nil {
		return fmt.Errorf("remove what was listened to: %w", err)
	}
	return nil
}

// makeRunning makes transcodes that run on a host that is none.
func makeRunning(ctx context.Context, db *pgx.Conn) (ids []string, err error) {
	if _, err := db.Exec(ctx, `SET session_replication_role = replica;
		INSERT INTO weir.hosts (id, boot_id, slots, lease_until, up) VALUES ('nobody', gen_random_uuid(), 100, now() + interval '1 hour', false);
		CREATE TEMP TABLE running AS SELECT gen_random_uuid() AS id FROM generate_series(1, `+strconv.Itoa(listenedTo)+`);
		INSERT INTO weir.transcodes (id, tenant, form, request, request_digest, source_url, source_sealed, output_url, output_sealed, callback_url,
		       callback_sealed, attempts_left, state, attempt, host_id, status_sent_at, source_duration_ms)
		SELECT id, 'studio', 'v1', '{}', '', '', '', '', '', '', '', 2, 'running', 1, 'nobody',
		       now() + interval '1 hour', 60000 FROM running;
		INSERT INTO weir.renditions (transcode_id, name, ordinal, width, height, bitrate, state, attempt)
		SELECT id, 'r', 0, 1, 1, 1, 'pushing', 1 FROM running;
		INSERT INTO weir.attempts (transcode_id, number, host_id, stage) SELECT id, 1, 'nobody', 'started' FROM running;
		RESET session_replication_role`); err != nil {
		return nil, fmt.Errorf("make transcodes to listen to: %w", err)
	}
	if err := db.QueryRow(ctx, "SELECT array_agg(id::text) FROM running").Scan(&ids); err != nil {
		return nil, fmt.Errorf("make transcodes to listen to: %w", err)
	}
	return ids, nil
}

// tellAll has each tell something every second.
func tellAll(ctx context.Context, db *pgx.Conn, ids []string) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for done := int64(0); ; done++ {
		p, err := json.Marshal(jobs.Progress{
			Attempt: 1, Stage: jobs.StageTranscode, Done: done, Of: 60_000, Unit: jobs.UnitMS, Speed: new(1.0), EndsAt: new(time.Now().Add(time.Minute)), At: time.Now(),
		})
		if err != nil {
			return err
		}
		// One that is cut off would take the connection with it.
		if _, err := db.Exec(context.WithoutCancel(ctx), "UPDATE weir.transcodes SET ratio = LEAST(ratio + 0.0001, 1), progress = $2 WHERE id = ANY($1::uuid[])", ids, string(p)); err != nil {
			return fmt.Errorf("tell progress: %w", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// told is an end as it was told at a time, both from the begin.
type told struct{ at, end time.Duration }

// ends is how far off the ends are that a transcode tells, from a third of the way on: with a
// Broadcaster of one speed, or with one whose speed swings. The first transcode that is followed
// may know nothing of what is behind a stage.
func (b *bench) ends(ctx context.Context, dir string, swings bool) error {
	source, name, by := filepath.Join(dir, "ends.mp4"), "ends", ""
	if swings {
		swinging, stop := context.WithCancel(ctx)
		var swung errgroup.Group
		swung.Go(func() error { return b.swing(swinging) })
		defer func() {
			stop()
			_ = swung.Wait() // a Broadcaster that was not slowed makes the figure better, not wrong
		}()
		name, by = "swinging", ", by a Broadcaster whose speed swings by a third"
	} else if err := devstack.MakeClip(ctx, source, devstack.Clip{Duration: curveLength}); err != nil {
		return err
	}
	var worst, mean []float64
	for i := range rounds {
		ends, whole, err := b.follow(ctx, fmt.Sprintf("%s-%d", name, i), source)
		if err != nil {
			return err
		}
		off, sum, n := 0.0, 0.0, 0
		for _, each := range ends {
			if each.at < whole/3 { //nolint:mnd // the goal's third
				continue
			}
			wrong := 100 * math.Abs((each.end - whole).Seconds()) / whole.Seconds()
			off, sum, n = max(off, wrong), sum+wrong, n+1
		}
		if n == 0 {
			return fmt.Errorf("transcode %d told no end in %s", i, whole)
		}
		worst, mean = append(worst, off), append(mean, sum/float64(n))
	}
	b.Add("an end told from a third of the way on, wrong by, mean"+by, "%", fmt.Sprintf("under %d", goalEnd), goalEnd, mean...)
	b.Add("  worst", "%", "", 0, worst...)
	return nil
}

// swing has the Broadcaster be a third slower and a third faster in turn, until ctx ends.
func (b *bench) swing(ctx context.Context) error {
	tick := time.NewTicker(swingEvery)
	defer tick.Stop()
	defer func() { _ = b.stack.Broadcaster.Faults(context.WithoutCancel(ctx), "{}") }()
	for slow := true; ; slow = !slow {
		factor := swingMean * 2 / 3 //nolint:mnd // a third
		if slow {
			factor = swingMean * 4 / 3 //nolint:mnd // a third
		}
		if err := b.stack.Broadcaster.Faults(ctx, fmt.Sprintf(`{"mode": "throughput", "factor": %g}`, factor)); err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// follow runs a transcode and gives the ends that it told.
func (b *bench) follow(ctx context.Context, name, source string) (ends []told, whole time.Duration, err error) {
	following, stop := context.WithCancel(ctx)
	defer stop()
	type progress struct {
		Type      string
		At        time.Time
		Transcode struct {
			ExternalID string `json:"external_id"`
		}
		Progress *struct {
			Stage string
			Done  int64
			Of    int64
			ETA   *float64 `json:"eta_seconds"`
			At    time.Time
		}
	}
	var began time.Time
	lines := []string{}
	group, _ := errgroup.WithContext(ctx)
	group.Go(func() error {
		err := b.stack.API.Follow(following, "/v1/events", "", func(e devstack.Event) bool {
			var p progress
			if json.Unmarshal(e.Data, &p) != nil || p.Transcode.ExternalID != name {
				return true
			}
			switch {
			case p.Type == "transcode.started":
				began = p.At
			case p.Progress != nil:
				lines = append(lines, fmt.Sprintf("%s %s %d %d", p.Progress.At.Sub(began), p.Progress.Stage, p.Progress.Done, p.Progress.Of))
				if p.Progress.ETA != nil {
					at := p.At.Sub(began)
					ends = append(ends, told{at, at + time.Duration(*p.Progress.ETA*float64(time.Second))})
				}
			}
			return p.Type != "transcode.succeeded"
		})
		if following.Err() == nil {
			return err
		}
		return nil
	})
	t, err := b.transcode(ctx, name, source, ladder())
	stop()
	if err := errors.Join(err, group.Wait()); err != nil {
		return nil, 0, err
	}
	whole = t.FinishedAt.Sub(began)
	for _, each := range ends {
		lines = append(lines, fmt.Sprintf("told %s %s", each.at, each.end))
	}
	lines = append(lines, fmt.Sprintf("end %s", whole))
	if *curve != "" {
		return ends, whole, os.WriteFile(*curve+"-"+name, []byte(strings.Join(lines, "\n")+"\n"), 0o644)
	}
	return ends, whole, nil
}
