package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"

	"weir/internal/devstack"
	"weir/test/bench/proc"
)

// idleAfter lets a daemon settle before its memory is read.
const idleAfter = 5 * time.Second

// run is one transcode that went well.
type run struct {
	*devstack.Transcode
	told time.Time // when the last callback came
}

// start is an idle daemon, and how soon it begins and ends what it is given.
func (b *bench) start(ctx context.Context) error {
	dir, err := b.stack.Folder.Make("bench")
	if err != nil {
		return err
	}
	source := filepath.Join(dir, "source.mp4")
	if err := devstack.MakeClip(ctx, source, devstack.Clip{}); err != nil {
		return err
	}
	if err := wait(ctx, idleAfter); err != nil {
		return err
	}
	idle, err := proc.MemoryMB(b.stack.Daemons[0].PID(), proc.Resident)
	if err != nil {
		return err
	}
	b.Add("daemon idle, resident", "MB", fmt.Sprintf("under %d", goalIdleMB), goalIdleMB, idle)
	if err := b.transcodes(ctx, source); err != nil {
		return err
	}
	after, err := proc.MemoryMB(b.stack.Daemons[0].PID(), proc.Resident)
	if err != nil {
		return err
	}
	b.Add("daemon after the transcodes, resident", "MB", "", 0, after)
	return nil
}

// transcodes runs the demo's request several times, one after the other.
func (b *bench) transcodes(ctx context.Context, source string) error {
	db, err := pgx.Connect(ctx, string(b.stack.Database))
	if err != nil {
		return fmt.Errorf("connect to the stack's database: %w", err)
	}
	defer func() { _ = db.Close(context.WithoutCancel(ctx)) }()
	var start, callback, whole []float64
	for i := range rounds {
		t, err := b.transcode(ctx, fmt.Sprintf("bench-%d", i), source, ladder())
		if err != nil {
			return err
		}
		var started, ended time.Time
		if err := db.QueryRow(ctx, `SELECT process_started_at FROM weir.attempts WHERE transcode_id = $1`, t.ID).Scan(&started); err != nil {
			return fmt.Errorf("read when the process started: %w", err)
		}
		if err := db.QueryRow(ctx, `SELECT max(received_at) FROM weir.mist_events
			WHERE transcode_id = $1 AND trigger = 'PUSH_END'`, t.ID).Scan(&ended); err != nil {
			return fmt.Errorf("read when the last push ended: %w", err)
		}
		start = append(start, started.Sub(t.CreatedAt).Seconds())
		callback = append(callback, t.told.Sub(ended).Seconds())
		whole = append(whole, t.told.Sub(t.CreatedAt).Seconds())
	}
	b.Add("accepted -> MistProcLivepeer started", "s", "under "+goalStart.String(), goalStart.Seconds(), start...)
	b.Add("last PUSH_END -> callback received (below 0: it came first)", "s", "under "+goalCallback.String(), goalCallback.Seconds(), callback...)
	b.Add("accepted -> callback received", "s", "", 0, whole...)
	return nil
}

// transcode runs one request until nothing of it is left on the host.
func (b *bench) transcode(ctx context.Context, name, source string, profiles []devstack.Profile) (run, error) {
	url, err := b.stack.Upload(ctx, source, "bench/"+name+filepath.Ext(source))
	if err != nil {
		return run{}, err
	}
	output, err := b.stack.S3.URL(b.stack.Bucket, "bench/out")
	if err != nil {
		return run{}, err
	}
	t, err := b.stack.API.Submit(ctx, &devstack.Request{
		ExternalID: name, Source: devstack.Location{URL: string(url)}, Output: devstack.Location{URL: string(output)},
		CallbackURL: b.stack.Studio.URL + "bench", Profiles: profiles,
	})
	if err != nil {
		return run{}, err
	}
	told, err := b.stack.Studio.WaitTerminal(ctx, t.ID)
	if err != nil {
		return run{}, err
	}
	if told.Status != "success" {
		return run{}, fmt.Errorf("transcode %s ended with %s: %s", t.ID, told.Status, told.Error)
	}
	if left, err := b.stack.AwaitClean(ctx); err != nil || len(left) > 0 {
		return run{}, errors.Join(err, fmt.Errorf("left behind: %v", left))
	}
	ended, err := b.stack.API.Transcode(ctx, t.ID)
	if err != nil {
		return run{}, err
	}
	return run{ended, told.At}, nil
}
