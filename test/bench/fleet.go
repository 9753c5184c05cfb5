package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"golang.org/x/sync/errgroup"

	"weir/api"
	"weir/api/events"
	"weir/db"
	"weir/engine"
	"weir/internal/devstack"
	"weir/jobs"
	"weir/jobs/control"
	"weir/jobs/host"
	"weir/jobs/inbox"
	"weir/secret"
	"weir/storage/dial"
	"weir/studio"
	"weir/triggers"
)

const (
	// fleetHosts have fleetSlots each, so that slots limit nothing.
	fleetHosts, fleetSlots, fleetStores = 4, 32, 16
	// fleetConns are a daemon's connections.
	fleetConns = 16
	// fleetToken is no secret: the API listens here for a minute.
	fleetToken = "the-bench-asks-for-transcodes-that-cost-nothing" //nolint:gosec // see above
	// fleetLook is how often it is looked whether all is done.
	fleetLook = 20 * time.Millisecond
	// fleetStop bounds the end.
	fleetStop = 30 * time.Second
)

// fleet is a daemon that leads and several that work, in this process and on a Postgres of
// their own, with media, Mist and storage that cost nothing.
type fleet struct {
	folder   *devstack.Folder
	postgres *devstack.Postgres
	database secret.Secret
	pool     *pgxpool.Pool // the bench's own
	marks    marks
	gate     gate

	api      string
	receiver string
	client   http.Client
	number   atomic.Int64
	// ended holds, by its external id, who waits for the callback of a lifecycle.
	ended sync.Map

	group   *errgroup.Group
	running context.Context //nolint:containedctx // what it serves lives as long as it does
	end     context.CancelFunc
	river   []*river.Client[pgx.Tx]
	hosts   []*host.Host
	failed  chan error
	// process is its daemon where that is one of its own, control what steers it.
	process *exec.Cmd
	control string
	pools   []*pgxpool.Pool
}

// startFleet starts it; Close ends it.
func startFleet(ctx context.Context) (f *fleet, err error) {
	f = &fleet{failed: make(chan error, 1)}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close(context.WithoutCancel(ctx)))
		}
	}()
	if err := f.prepare(ctx); err != nil {
		return f, err
	}
	if err := f.listen(ctx); err != nil {
		return f, err
	}
	return f, f.run(ctx, fleetHosts, fleetSlots)
}

// prepare starts a Postgres.
func (f *fleet) prepare(ctx context.Context) (err error) {
	if f.folder, err = devstack.NewFolder(); err != nil {
		return err
	}
	dir, err := f.folder.Make("postgres")
	if err != nil {
		return err
	}
	if f.postgres, err = devstack.StartPostgres(ctx, &devstack.PostgresConfig{Dir: dir, Settings: []string{
		"shared_preload_libraries=pg_stat_statements", "shared_buffers=256MB", "max_wal_size=2GB", "track_io_timing=off",
	}}); err != nil {
		return err
	}
	f.database = f.postgres.URL
	if f.pool, err = f.open(ctx); err != nil {
		return err
	}
	if _, err := db.Migrate(ctx, f.pool); err != nil {
		return err
	}
	if _, err := f.pool.Exec(ctx, "CREATE EXTENSION pg_stat_statements"); err != nil {
		return fmt.Errorf("count statements: %w", err)
	}
	return nil
}

// listen takes callbacks.
func (f *fleet) listen(ctx context.Context) (err error) {
	f.enlist(ctx)
	f.client.Transport = &http.Transport{MaxIdleConnsPerHost: 1024}
	f.receiver, err = f.serve(f.running, http.HandlerFunc(f.receive))
	return err
}

// enlist has what it runs end together.
func (f *fleet) enlist(ctx context.Context) {
	if f.group == nil {
		running, end := context.WithCancel(ctx)
		f.end = end
		f.group, f.running = errgroup.WithContext(running)
	}
}

func (f *fleet) open(ctx context.Context) (*pgxpool.Pool, error) {
	pool, err := db.Open(ctx, string(f.database), fleetConns)
	if err == nil {
		f.pools = append(f.pools, pool)
	}
	return pool, err
}

// run runs a daemon that leads, and hosts.
func (f *fleet) run(ctx context.Context, hosts, slots int) error {
	f.enlist(ctx)
	sealer, err := secret.NewSealer(secret.Key(bytes.Repeat([]byte{7}, 32)))
	if err != nil {
		return err
	}
	networks, err := dial.ParseNetworks([]string{"127.0.0.1/32"})
	if err != nil {
		return err
	}
	guard := &dial.Guard{Allowed: networks}
	if err := f.lead(f.running, sealer, guard); err != nil {
		return err
	}
	for i := range hosts {
		if err := f.work(f.running, fmt.Sprintf("host-%d", i), slots, sealer, guard); err != nil {
			return err
		}
	}
	return nil
}

// serve serves on a port of its own until the fleet ends.
func (f *fleet) serve(ctx context.Context, handler http.Handler) (url string, err error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("listen: %w", err)
	}
	f.group.Go(func() error { return api.Serve(ctx, listener, handler, slog.New(slog.DiscardHandler)) })
	return "http://" + listener.Addr().String(), nil
}

// fail has the measurement end with err.
func (f *fleet) fail(err error) {
	select {
	case f.failed <- err:
	default: // one is enough
	}
}

// lead is what a daemon does that leads.
func (f *fleet) lead(ctx context.Context, sealer *secret.Sealer, guard *dial.Guard) error {
	pool, err := f.open(ctx)
	if err != nil {
		return err
	}
	log := slog.New(slog.DiscardHandler)
	tokens, err := api.ParseTokens("bench=" + fleetToken)
	if err != nil {
		return err
	}
	transcodes := &jobs.Transcodes{DB: pool, Sealer: sealer}
	hub := events.New(pool, log)
	served := &api.Config{
		Transcodes: transcodes, Tokens: tokens, Events: hub, Logger: log, AllowHTTPSource: true,
		Ready: func(context.Context) map[string]error { return nil },
	}
	leads := &control.Control{
		DB: pool, Sealer: sealer, Inbox: inbox.Open(transcodes, api.NewReader(served)), Log: log,
		Studio: studio.New(&studio.Config{Secret: "a secret of the bench, as long as it has to be", Guard: guard}),
	}
	client, err := jobs.NewClient(&jobs.Config{DB: pool, Log: log, HostID: "control", BootID: uuid.New()}, leads.Room, host.NoRoom, triggers.NoRoom)
	if err != nil {
		return err
	}
	transcodes.River = client
	handler, err := api.New(served)
	if err != nil {
		return err
	}
	if f.api, err = f.serve(ctx, handler); err != nil {
		return err
	}
	f.group.Go(func() error { return hub.Run(ctx) })
	if err := client.Start(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("start River: %w", err)
	}
	f.river = append(f.river, client)
	f.group.Go(func() error { return leads.Run(ctx, client) })
	return nil
}

// work is what a daemon does that has a Mist.
func (f *fleet) work(ctx context.Context, id string, slots int, sealer *secret.Sealer, guard *dial.Guard) error {
	pool, err := f.open(ctx)
	if err != nil {
		return err
	}
	log := slog.New(slog.DiscardHandler)
	spool, err := f.folder.Make(id)
	if err != nil {
		return err
	}
	boot, wakes := uuid.New(), host.NewWakes()
	listener, err := triggers.New(&triggers.Config{DB: pool, HostID: id, Wake: wakes.Wake, Spool: spool})
	if err != nil {
		return err
	}
	h := &host.Host{
		ID: id, BootID: boot, Slots: slots, Stores: fleetStores, Version: "bench", DB: pool,
		Engine: &freeEngine{triggers: listener, marks: &f.marks, failed: f.fail, gate: &f.gate, attempts: map[engine.Name]*freeAttempt{}},
		Media:  freeMedia{}, Storage: freeStorage{}, Sealer: sealer, Wakes: wakes, Log: log, Spool: spool, SourceMax: 1 << 30,
		Broadcasters: []string{"http://127.0.0.1:9"}, Guard: guard, TriggerURL: "http://127.0.0.1:9/" + id,
	}
	client, err := jobs.NewClient(&jobs.Config{DB: pool, Log: log, HostID: id, BootID: boot}, (&control.Control{DB: pool, Sealer: sealer, Log: log}).Room, h.Room, listener.Room)
	if err != nil {
		return err
	}
	if err := h.Boot(ctx, client); err != nil {
		return err
	}
	f.hosts = append(f.hosts, h)
	f.group.Go(func() error { return h.Run(ctx, client) })
	if err := client.Start(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("start River: %w", err)
	}
	f.river = append(f.river, client)
	return nil
}

// Close ends it, and what it left.
func (f *fleet) Close(ctx context.Context) error {
	f.gate.open()
	ctx, cancel := context.WithTimeout(ctx, fleetStop)
	defer cancel()
	errs := []error{f.endProcess()}
	for _, h := range f.hosts {
		errs = append(errs, h.Stop(ctx))
	}
	for _, client := range f.river {
		errs = append(errs, client.Stop(ctx))
	}
	for _, h := range f.hosts {
		h.Close()
	}
	if f.end != nil {
		f.end()
		if err := f.group.Wait(); !errors.Is(err, context.Canceled) {
			errs = append(errs, err)
		}
	}
	for _, pool := range f.pools {
		pool.Close()
	}
	if f.postgres != nil {
		errs = append(errs, f.postgres.Close())
	}
	if f.folder != nil {
		errs = append(errs, f.folder.Close())
	}
	return errors.Join(errs...)
}

// receive takes the callbacks.
func (f *fleet) receive(w http.ResponseWriter, r *http.Request) {
	at := time.Now()
	body, err := io.ReadAll(r.Body)
	var message struct {
		Status    string    `json:"status"`
		RequestID uuid.UUID `json:"request_id"`
		Error     string    `json:"error"`
	}
	if err == nil {
		err = json.Unmarshal(body, &message)
	}
	switch {
	case err != nil:
		f.fail(fmt.Errorf("read a callback: %w", err))
	case message.Status == "error":
		f.fail(fmt.Errorf("a lifecycle failed: %s", message.Error))
	case message.Status == "success":
		f.marks.markAt(message.RequestID, markTold, at)
		if waits, is := f.ended.LoadAndDelete(strings.TrimPrefix(r.URL.Path, "/hooks/")); is {
			close(waits.(chan struct{})) //nolint:forcetypeassert,errcheck // nothing else is put there
		}
	}
	w.WriteHeader(http.StatusOK)
}

// begin posts a request. The channel is closed with its callback.
func (f *fleet) begin(ctx context.Context) (<-chan struct{}, error) {
	n := f.number.Add(1)
	ended := make(chan struct{})
	f.ended.Store(fmt.Sprint(n), ended)
	text := fmt.Sprintf(v1Body, n, "s3+http://K:S@127.0.0.1:9/bench", f.receiver+"/")
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, f.api+"/v1/transcodes", strings.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("post: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+fleetToken)
	req.Header.Set("Content-Type", "application/json")
	began := time.Now()
	resp, err := f.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("post: %w", err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	var accepted struct {
		ID uuid.UUID `json:"id"`
	}
	if resp.StatusCode != http.StatusAccepted || json.Unmarshal(answer, &accepted) != nil {
		return nil, fmt.Errorf("post: HTTP %d: %s", resp.StatusCode, answer)
	}
	f.marks.markAt(accepted.ID, markPosted, began)
	f.marks.mark(accepted.ID, markTaken)
	return ended, nil
}

// lifecycle is a whole one.
func (f *fleet) lifecycle(ctx context.Context) error {
	ended, err := f.begin(ctx)
	if err != nil {
		return err
	}
	select {
	case <-ended:
		return nil
	case err := <-f.failed:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// press keeps so many lifecycles at work until ctx ends, and counts those that have ended.
func (f *fleet) press(ctx context.Context, clients int, done *atomic.Int64) error {
	group, ctx := errgroup.WithContext(ctx)
	for range clients {
		group.Go(func() error {
			for {
				err := f.lifecycle(ctx)
				if ctx.Err() != nil {
					return nil //nolint:nilerr // its end is what breaks the last ones off
				}
				if err != nil {
					return err
				}
				done.Add(1)
			}
		})
	}
	return group.Wait()
}

// writes is how many transactions have written so far.
func (f *fleet) writes(ctx context.Context) (int64, error) {
	var writes int64
	if err := f.pool.QueryRow(ctx, "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint").Scan(&writes); err != nil {
		return 0, fmt.Errorf("count transactions: %w", err)
	}
	return writes, nil
}

// custom runs pgbench with a script of our own, and says its rate.
func (f *fleet) custom(ctx context.Context, name, script string, clients int) (float64, error) {
	dir, err := f.folder.Make(name)
	if err != nil {
		return 0, err
	}
	file := filepath.Join(dir, "script.sql")
	if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
		return 0, fmt.Errorf("write a script for pgbench: %w", err)
	}
	return pgbenchOf(ctx, string(f.postgres.URL), "-n", "-f", file, "-c", fmt.Sprint(clients), "-j", "2", "-T", insertSeconds)
}
