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
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"weir/api"
	"weir/api/events"
	"weir/db"
	"weir/internal/devstack"
	loops "weir/internal/fleet"
	"weir/jobs"
	"weir/jobs/control"
	"weir/jobs/host"
	"weir/jobs/inbox"
	"weir/secret"
	"weir/test/bench/free"
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
	spools   *devstack.Folder
	postgres *devstack.Postgres
	database secret.Secret
	pool     *pgxpool.Pool // the bench's own
	marks    free.Marks
	gate     free.Gate

	api      string
	receiver string
	client   http.Client
	number   atomic.Int64
	// ended holds, by its external id, who waits for the callback of a lifecycle.
	ended sync.Map

	group   *errgroup.Group
	running context.Context //nolint:containedctx // what it serves lives as long as it does
	end     context.CancelFunc
	daemons []*loops.Daemon
	engines []*free.Engine // of those that work
	failed  chan error
	// process is its daemon where that is one of its own, control what steers it, triggers where
	// Mist's are posted.
	process           *exec.Cmd
	control, triggers string
	pools             []*pgxpool.Pool
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
	settings := append(devstack.Durable(), "shared_preload_libraries=pg_stat_statements", "shared_buffers=256MB", "max_wal_size=2GB", "track_io_timing=off")
	if *profiles != "" {
		settings = append(settings, "pg_stat_statements.track_planning=on")
	}
	if f.postgres, err = devstack.StartPostgres(ctx, &devstack.PostgresConfig{Dir: dir, Settings: settings}); err != nil {
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
	if f.spools, err = devstack.NewFolderInMemory(); err != nil {
		return err
	}
	cfg := &loops.Config{
		Database: f.database, Sealer: sealer, Dir: f.spools.Path, Slots: slots, Stores: fleetStores, Conns: fleetConns,
		Log: slog.New(slog.DiscardHandler), Equip: f.equip, Leads: f.accepts,
	}
	lead, err := cfg.Lead(f.running, "control")
	if err != nil {
		return err
	}
	f.daemons = append(f.daemons, lead)
	for i := range hosts {
		d, err := cfg.Host(f.running, fmt.Sprintf("host-%d", i))
		if err != nil {
			return err
		}
		f.daemons = append(f.daemons, d)
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

// accepts gives the daemon that leads an API, and requests by SQL.
func (f *fleet) accepts(leads *control.Control) error {
	tokens, err := api.ParseTokens("bench=" + fleetToken)
	if err != nil {
		return err
	}
	inserter, err := jobs.NewInserter(leads.DB)
	if err != nil {
		return err
	}
	transcodes := &jobs.Transcodes{DB: leads.DB, River: inserter, Sealer: leads.Sealer}
	hub := events.New(leads.DB, leads.Log)
	served := &api.Config{
		Transcodes: transcodes, Tokens: tokens, Events: hub, Logger: leads.Log, AllowHTTPSource: true,
		Ready: func(context.Context) map[string]error { return nil },
	}
	leads.Inbox = inbox.Open(transcodes, api.NewReader(served))
	handler, err := api.New(served)
	if err != nil {
		return err
	}
	if f.api, err = f.serve(f.running, handler); err != nil {
		return err
	}
	f.group.Go(func() error { return hub.Run(f.running) })
	return nil
}

// equip gives a host what costs nothing.
func (f *fleet) equip(h *host.Host) (jobs.Room, error) {
	listener, err := triggers.New(&triggers.Config{DB: h.DB, HostID: h.ID, Wake: h.Wakes.Wake, Spool: h.Spool})
	if err != nil {
		return nil, err
	}
	engine := &free.Engine{Triggers: listener, Marks: &f.marks, Failed: f.fail, Gate: &f.gate}
	f.engines = append(f.engines, engine)
	h.Engine, h.Media, h.Storage = engine, free.Media{}, free.Storage{}
	h.Broadcasters, h.TriggerURL = []string{"http://127.0.0.1:9"}, "http://127.0.0.1:9/"+h.ID
	return listener.Room, nil
}

// Close ends it, and what it left.
func (f *fleet) Close(ctx context.Context) error {
	f.gate.Open()
	errs := []error{f.endProcess()}
	for _, d := range slices.Backward(f.daemons) { // who leads, last
		errs = append(errs, d.Stop(ctx))
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
	if f.spools != nil {
		errs = append(errs, f.spools.Close())
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
		f.marks.MarkAt(message.RequestID, free.Told, at)
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
	f.marks.MarkAt(accepted.ID, free.Posted, began)
	f.marks.Mark(accepted.ID, free.Taken)
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
func (f *fleet) custom(ctx context.Context, name, script string, clients int, args ...string) (float64, error) {
	dir, err := f.folder.Make(name)
	if err != nil {
		return 0, err
	}
	file := filepath.Join(dir, "script.sql")
	if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
		return 0, fmt.Errorf("write a script for pgbench: %w", err)
	}
	return pgbenchOf(ctx, string(f.postgres.URL), append(args, "-n", "-f", file, "-c", fmt.Sprint(clients), "-j", "2", "-T", insertSeconds)...)
}
