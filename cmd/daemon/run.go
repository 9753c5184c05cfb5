package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"golang.org/x/sync/errgroup"

	"weir/api"
	"weir/api/events"
	"weir/config"
	"weir/db"
	"weir/engine"
	"weir/jobs"
	"weir/jobs/control"
	"weir/jobs/doctor"
	"weir/jobs/host"
	"weir/jobs/host/preview"
	"weir/jobs/inbox"
	"weir/jobs/tenants"
	"weir/media"
	"weir/mist"
	"weir/secret"
	"weir/storage"
	"weir/storage/dial"
	"weir/studio"
	"weir/triggers"
)

const (
	// waitEvery is between two looks for a dependency that is not up yet.
	waitEvery = 2 * time.Second
	// previewStall and previewAttempts leave a second try within a dry run's time.
	previewStall    = 5 * time.Second
	previewAttempts = 2
	// stopTimeout is above River's soft stop of 10 s, which cuts what is left.
	stopTimeout = 25 * time.Second
	// triggerPath, with the host's id behind it, is this daemon's alone in Mist's
	// configuration, which knows our entries by it.
	triggerPath = "/weir/triggers/"
)

// run is the daemon: it returns when ctx ends and all is drained, or with what
// stopped it.
func run(ctx context.Context, cfg *config.Config, logs io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	log := logger(cfg, logs)
	keys, err := secret.ParseKeys(string(cfg.SecretKey))
	if err != nil {
		return err
	}
	sealer, err := secret.NewSealer(keys...)
	if err != nil {
		return fmt.Errorf("WEIR_SECRET_KEY: %w", err)
	}
	pool, err := db.Open(ctx, string(cfg.DatabaseURL), cfg.DatabaseMaxConns)
	if err != nil {
		return err
	}
	defer pool.Close()
	d := &daemon{cfg: cfg, log: log, pool: pool, sealer: sealer, boot: uuid.New()}
	return d.run(ctx)
}

// waitFor asks until what answers; while it does not, it says so. A schema that
// does not fit is no matter of waiting.
func waitFor(ctx context.Context, log *slog.Logger, what string, ask func(context.Context) error) error {
	tick := time.NewTicker(waitEvery)
	defer tick.Stop()
	for {
		err := ask(ctx)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, db.ErrSchemaTooOld), errors.Is(err, db.ErrSchemaTooNew), errors.Is(err, db.ErrSchemaDirty),
			errors.Is(err, engine.ErrSettings),
			errors.Is(err, host.ErrHostTaken), errors.Is(err, host.ErrSpoolTaken):
			return err
		}
		log.WarnContext(ctx, "waiting for "+what, "error", err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

type daemon struct {
	cfg    *config.Config
	log    *slog.Logger
	pool   *pgxpool.Pool
	sealer *secret.Sealer
	boot   uuid.UUID
	tokens *api.Tokens
	guard  *dial.Guard
	// transcodes are the operations of the API, requests by SQL among them.
	transcodes *jobs.Transcodes
	leads      *control.Control
	host       *host.Host // nil: it works for no Mist
	client     *river.Client[pgx.Tx]
	// works is set once jobs are worked.
	works atomic.Bool
	// cheap are the checks of the host's own things, well what they came to.
	cheap []doctor.Check
	well  readiness
}

var errWaits = errors.New("the daemon waits for its dependencies")

func (d *daemon) run(ctx context.Context) error {
	// What can be wrong with the settings is known before anything is touched.
	if d.cfg.Control {
		var err error
		if d.tokens, err = api.ParseTokens(string(d.cfg.APITokens)); err != nil {
			return err
		}
	}
	allowed, err := dial.ParseNetworks(d.cfg.AllowedNetworks)
	if err != nil {
		return fmt.Errorf("WEIR_ALLOWED_NETWORKS: %w", err)
	}
	triggersOn, apiOn, err := d.listen(ctx)
	if err != nil {
		return err
	}
	d.guard = &dial.Guard{Allowed: allowed, Own: d.ownPorts(triggersOn, apiOn)}
	d.transcodes = &jobs.Transcodes{DB: d.pool, Sealer: d.sealer}
	// Requests by SQL are read as the API reads its own.
	accepts := inbox.Open(d.transcodes, api.NewReader(d.api(nil)))
	d.leads = &control.Control{DB: d.pool, Sealer: d.sealer, Inbox: accepts, Log: d.log, UrgentPercent: d.cfg.UrgentPercent}
	hosts := host.NoRoom
	if d.cfg.Worker {
		if d.host, err = d.newHost(triggersOn.Addr()); err != nil {
			return err
		}
		hosts = d.host.Room
	}
	if d.cfg.Control {
		d.leads.Studio = studio.New(&studio.Config{
			Secret: d.cfg.CallbackSecret, Bearer: d.cfg.CallbackToken,
			BearerHosts: d.cfg.CallbackHosts, Version: version(), Guard: d.guard,
		})
		defer d.leads.Studio.Close()
	}
	var listens net.Addr
	if triggersOn != nil {
		listens = triggersOn.Addr()
	}
	examiner, err := d.examiner(listens)
	if err != nil {
		return err
	}
	if d.client, err = jobs.NewClient(&jobs.Config{DB: d.pool, Log: d.log, HostID: d.cfg.HostID, BootID: d.boot}, d.leads.Room, hosts, examiner.Room); err != nil {
		return err
	}
	d.transcodes.River = d.client

	// The API comes first: it says what the daemon waits for, and takes requests as
	// soon as Postgres does.
	group, groupCtx := errgroup.WithContext(ctx)
	if d.cfg.Control {
		if err := d.startAPI(groupCtx, group, apiOn); err != nil {
			return err
		}
	}
	group.Go(func() error { return d.work(groupCtx, group, triggersOn) })
	err = group.Wait()
	d.log.InfoContext(ctx, "weir-daemon stopped")
	return err
}

// work waits for what the daemon depends on, works until ctx ends, and drains.
func (d *daemon) work(ctx context.Context, group *errgroup.Group, triggersOn net.Listener) error {
	if err := waitFor(ctx, d.log, "Postgres", func(ctx context.Context) error { return db.CheckSchema(ctx, d.pool) }); err != nil {
		return err
	}
	if d.cfg.Worker {
		if err := d.startTriggers(ctx, group, triggersOn); err != nil {
			return err
		}
		if err := waitFor(ctx, d.log, "Postgres", func(ctx context.Context) error { return d.host.Boot(ctx, d.client) }); err != nil {
			return err
		}
		group.Go(func() error { return d.host.Run(ctx, d.client) })
	}
	// River's contexts must outlive the signal: a soft stop lets jobs end.
	if err := d.client.Start(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("start River: %w", err)
	}
	if d.cfg.Control {
		group.Go(func() error { return d.leads.Run(ctx, d.client) })
		retention := &control.Retention{DB: d.pool, Log: d.log, Keep: d.keep()}
		group.Go(func() error { return retention.Run(ctx) })
	}
	d.works.Store(true)
	d.log.InfoContext(ctx, "weir-daemon runs", "version", version(), "host", d.cfg.HostID, "boot", d.boot,
		"control", d.cfg.Control, "worker", d.cfg.Worker)
	<-ctx.Done()
	return d.stop(context.WithoutCancel(ctx))
}

// stop drains: no new work, stores and callbacks in hand end, MistProcLivepeer is
// left running for the next boot.
func (d *daemon) stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	var errs []error
	if d.host != nil {
		errs = append(errs, d.host.Stop(ctx))
	}
	if err := d.client.Stop(ctx); err != nil {
		errs = append(errs, fmt.Errorf("stop River: %w", err))
	}
	if d.host != nil {
		d.host.Close()
	}
	return errors.Join(errs...)
}

func (d *daemon) listen(ctx context.Context) (triggersOn, apiOn net.Listener, err error) {
	var config net.ListenConfig
	if d.cfg.Worker {
		if triggersOn, err = config.Listen(ctx, "tcp", d.cfg.TriggerListen); err != nil {
			return nil, nil, fmt.Errorf("WEIR_TRIGGER_LISTEN: %w: give a free address", err)
		}
	}
	if d.cfg.Control {
		if apiOn, err = config.Listen(ctx, "tcp", d.cfg.APIListen); err != nil {
			return nil, nil, fmt.Errorf("WEIR_API_LISTEN: %w: give a free address", err)
		}
	}
	return triggersOn, apiOn, nil
}

func (d *daemon) newHost(triggersOn net.Addr) (*host.Host, error) {
	spool, err := host.OpenSpool(d.cfg.SpoolDir)
	if err != nil {
		return nil, err
	}
	client, err := mist.New(&mist.Config{URL: d.cfg.MistAPI, Username: d.cfg.MistUsername, Password: d.cfg.MistPassword})
	if err != nil {
		return nil, fmt.Errorf("WEIR_MIST_API: %w", err)
	}
	if err := mist.CheckProgram(d.cfg.MistBinDir); err != nil {
		return nil, fmt.Errorf("WEIR_MIST_BIN_DIR: %w", err)
	}
	objects, err := storage.New(d.storage())
	if err != nil {
		return nil, err
	}
	tools := &media.Tools{FFmpeg: d.cfg.FFmpeg, FFprobe: d.cfg.FFprobe}
	if err := tools.Check(); err != nil {
		return nil, err
	}
	return &host.Host{
		Engine: &mist.Engine{
			Client: client, BinDir: d.cfg.MistBinDir, ShmDir: d.cfg.ShmDir, Hidden: []secret.Secret{d.cfg.LivepeerToken},
		},
		ID: d.cfg.HostID, BootID: d.boot, Slots: d.cfg.HostSlots, Stores: d.cfg.StoreWorkers, Version: version(),
		DB: d.pool, Media: tools, Storage: objects, Sealer: d.sealer, Wakes: host.NewWakes(), Log: d.log,
		Spool: spool, SpoolReserve: d.cfg.SpoolReserve, SourceMax: d.cfg.SourceMax,
		HEVC: d.cfg.HEVC, HighDepth: d.cfg.HighDepth,
		Broadcasters: d.cfg.Broadcasters, LivepeerToken: d.cfg.LivepeerToken, LivepeerAPI: d.cfg.LivepeerAPI,
		LivepeerAPIs: d.cfg.LivepeerAPIs, Guard: d.guard,
		TriggerURL: "http://" + triggersOn.String() + triggerPath + d.cfg.HostID,
	}, nil
}

func (d *daemon) storage() *storage.Config {
	return &storage.Config{AllowHTTP: d.cfg.SourceHTTP, Guard: d.guard}
}

// preview makes dry runs: a request waits for them, so they try less than a transcode.
func (d *daemon) preview() (*preview.Previewer, error) {
	cfg := d.storage()
	cfg.StallTimeout, cfg.MaxAttempts = previewStall, previewAttempts
	objects, err := storage.New(cfg)
	if err != nil {
		return nil, err
	}
	tools := &media.Tools{FFmpeg: d.cfg.FFmpeg, FFprobe: d.cfg.FFprobe}
	if tools.Check() != nil { // a daemon that only leads may have none
		tools = nil
	}
	return preview.New(&preview.Config{
		Storage: objects, Stores: &tenants.Stores{DB: d.pool, Sealer: d.sealer}, Media: tools,
		Plan: (*mist.Engine)(nil).PlanSize,
	}), nil
}

func (d *daemon) startTriggers(ctx context.Context, group *errgroup.Group, on net.Listener) error {
	listener, err := triggers.New(&triggers.Config{
		DB: d.pool, HostID: d.cfg.HostID, Wake: d.host.Wakes.Wake, Logger: d.log, Spool: d.host.Spool,
	})
	if err != nil {
		return err
	}
	group.Go(func() error { return listener.Serve(ctx, on) })
	return nil
}

func (d *daemon) startAPI(ctx context.Context, group *errgroup.Group, on net.Listener) error {
	looks, err := d.preview()
	if err != nil {
		return err
	}
	hub := events.New(d.pool, d.log)
	group.Go(func() error { return hub.Run(ctx) })
	config := d.api(hub)
	config.Preview = looks
	handler, err := api.New(config)
	if err != nil {
		return err
	}
	group.Go(func() error { return api.Serve(ctx, on, handler, d.log) })
	return nil
}

func (d *daemon) api(hub *events.Hub) *api.Config {
	return &api.Config{
		Transcodes: d.transcodes, Tokens: d.tokens, Events: hub, Ready: d.ready, Logger: d.log, AllowHTTPSource: d.cfg.SourceHTTP,
		Rate: d.cfg.APIRate, FailedAuth: d.cfg.APIFailedAuth,
	}
}

// ready asks each dependency of this daemon, and names the check that finds what fails.
// What is asked of Postgres and Mist is asked now; the rest is from the last look.
func (d *daemon) ready(ctx context.Context) map[string]error {
	err := db.CheckSchema(ctx, d.pool)
	code := doctor.PostgresReach
	if errors.Is(err, db.ErrSchemaTooOld) || errors.Is(err, db.ErrSchemaTooNew) || errors.Is(err, db.ErrSchemaDirty) || errors.Is(err, db.ErrSchemaMigrating) {
		code = doctor.SchemaVersion
	}
	state := map[string]error{"postgres": named(code, err)}
	if d.host != nil {
		_, err := d.host.Engine.Info(ctx)
		state["mist"] = named(doctor.MistAPI, err)
		for _, finding := range d.well.of(ctx, d.pool, d.cfg.HostID, d.cheap) {
			if finding.Verdict == doctor.Fail && finding.Code != doctor.MistAPI {
				state[string(finding.Code)] = &doctor.Failing{Finding: finding}
			}
		}
	}
	if !d.works.Load() {
		state["workers"] = errWaits
	}
	return state
}

func (d *daemon) keep() control.Keep {
	return control.Keep{Transcodes: d.cfg.KeepTranscodes, Triggers: d.cfg.KeepTriggers, Events: d.cfg.KeepEvents, CallbackAttempts: d.cfg.KeepCallbackAttempts}
}

func logger(cfg *config.Config, w io.Writer) *slog.Logger {
	level, _ := cfg.Level() // checked by config.Load
	options := &slog.HandlerOptions{Level: level}
	if cfg.LogFormat == "text" {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}

// version is the build's, from the module or the commit it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "dev"
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" {
			return setting.Value[:min(len(setting.Value), 12)] //nolint:mnd // a short commit
		}
	}
	return "dev"
}
