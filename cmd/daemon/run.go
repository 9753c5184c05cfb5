package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
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
	"weir/config/buildinfo"
	"weir/db"
	"weir/engine"
	"weir/jobs"
	"weir/jobs/control"
	"weir/jobs/doctor"
	"weir/jobs/host"
	"weir/jobs/host/preview"
	"weir/jobs/inbox"
	"weir/jobs/metrics"
	"weir/jobs/retention"
	"weir/jobs/tenants"
	"weir/jobs/trace"
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
func run(ctx context.Context, cfg *config.Config, around *surroundings) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	d := &daemon{cfg: cfg, current: cfg, around: around, boot: uuid.New(), working: make(chan struct{})}
	d.log = logger(cfg, &d.level, around.logs)
	// What can be wrong with the settings is known before anything is touched.
	read, err := read(cfg)
	if err != nil {
		return &settingsError{err}
	}
	d.texts = read
	if d.sealer, err = secret.NewSealer(read.keys...); err != nil {
		return &settingsError{fmt.Errorf("WEIR_SECRET_KEY: %w", err)}
	}
	if d.pool, err = openDatabase(ctx, cfg); err != nil {
		return &settingsError{fmt.Errorf("WEIR_DATABASE_URL: %w", err)}
	}
	defer d.pool.Close()
	return d.run(ctx)
}

func openDatabase(ctx context.Context, cfg *config.Config) (*pgxpool.Pool, error) {
	if cfg.Profile == config.ProfilePoll {
		return db.OpenPooled(ctx, string(cfg.DatabaseURL), cfg.DatabaseMaxConns)
	}
	return db.Open(ctx, string(cfg.DatabaseURL), cfg.DatabaseMaxConns)
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
			errors.Is(err, db.ErrUnbounded), errors.Is(err, db.ErrForgets), errors.Is(err, engine.ErrSettings),
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
	texts  *texts
	around *surroundings
	log    *slog.Logger
	level  slog.LevelVar
	pool   *pgxpool.Pool
	sealer *secret.Sealer
	boot   uuid.UUID
	// metrics count, and trace follows, what happens.
	metrics *metrics.Metrics
	trace   *trace.Tracer
	guard   *dial.Guard
	// current are the settings that were read last; served and front are the API as it
	// began and as it is now, retention what goes by them too. All but front are the
	// reloading's alone once that has begun.
	current   *config.Config
	served    *api.Config
	front     front
	retention *retention.Retention
	pulse     pulse
	// transcodes are the operations of the API, requests by SQL among them.
	transcodes *jobs.Transcodes
	leads      *control.Control
	host       *host.Host // nil: it works for no Mist
	triggers   *triggers.Listener
	client     *river.Client[pgx.Tx]
	// works is set once jobs are worked, and working is closed then.
	works   atomic.Bool
	working chan struct{}
	// cheap are the checks of the host's own things, well what they came to.
	cheap []doctor.Check
	well  readiness
}

var errWaits = errors.New("the daemon waits for its dependencies")

func (d *daemon) run(ctx context.Context) error {
	triggersOn, apiOn, metricsOn, err := d.listen(ctx)
	if err != nil {
		return err
	}
	pages, err := d.listenPages(ctx)
	if err != nil {
		return err
	}
	d.metrics = d.newMetrics()
	flush, err := d.openTraces(ctx)
	if err != nil {
		return err
	}
	defer flush()
	d.guard = &dial.Guard{Allowed: d.texts.networks, Own: d.ownPorts(triggersOn, apiOn, metricsOn, pages)}
	d.transcodes = &jobs.Transcodes{DB: d.pool, Sealer: d.sealer, Trace: d.trace}
	// Requests by SQL are read as the API reads its own.
	accepts := inbox.Open(d.transcodes, api.NewReader(d.api(nil)))
	d.leads = &control.Control{DB: d.pool, Sealer: d.sealer, Inbox: accepts, Log: d.log, UrgentPercent: d.cfg.UrgentPercent, Trace: d.trace, Told: d.metrics.Told}
	hosts, replays := host.NoRoom, triggers.NoRoom
	if d.cfg.Worker {
		if d.host, err = d.newHost(triggersOn.Addr()); err != nil {
			return err
		}
		if d.triggers, err = triggers.New(&triggers.Config{
			DB: d.pool, HostID: d.cfg.HostID, Wake: d.host.Wakes.Wake, Logger: d.log, Spool: d.host.Spool,
			Seen: d.metrics.Seen,
		}); err != nil {
			return err
		}
		hosts, replays = d.host.Room, d.triggers.Room
	}
	if d.cfg.Control {
		d.leads.Studio = studio.New(&studio.Config{
			Secret: d.cfg.CallbackSecret, Bearer: d.cfg.CallbackToken,
			BearerHosts: d.cfg.CallbackHosts, Version: buildinfo.Version(), Guard: d.guard,
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
	if d.client, err = jobs.NewClient(&jobs.Config{
		DB: d.pool, Log: d.log, HostID: d.cfg.HostID, BootID: d.boot, Trace: &trace.Jobs{Tracer: d.trace, Host: d.cfg.HostID, Log: d.log},
		Polls: d.cfg.Profile == config.ProfilePoll,
	}, d.leads.Room, hosts, replays, examiner.Room); err != nil {
		return err
	}
	d.transcodes.River = d.client

	// The API comes first: it says what the daemon waits for, and takes requests as
	// soon as Postgres does.
	group, groupCtx := errgroup.WithContext(ctx)
	d.startMetrics(groupCtx, group, metricsOn)
	if d.cfg.Control {
		d.retention = &retention.Retention{DB: d.pool, Log: d.log, Keep: keep(d.cfg)}
		hub := events.New(d.pool, d.log)
		group.Go(func() error { return hub.Run(groupCtx) })
		if err := d.startAPI(groupCtx, group, apiOn, hub); err != nil {
			return err
		}
		if err := d.startPages(groupCtx, group, pages, hub); err != nil {
			return err
		}
	}
	group.Go(func() error { return d.reloads(groupCtx) })
	group.Go(func() error { return d.tellsReady(groupCtx) })
	group.Go(func() error { return d.tellsAlive(groupCtx, apiOn) })
	group.Go(func() error { return d.work(groupCtx, group, triggersOn) })
	err = group.Wait()
	d.log.InfoContext(ctx, "weir-daemon stopped")
	return err
}

// work waits for what the daemon depends on, works until ctx ends, and drains.
func (d *daemon) work(ctx context.Context, group *errgroup.Group, triggersOn net.Listener) error {
	if d.cfg.Profile == config.ProfilePoll {
		if err := waitFor(ctx, d.log, "Postgres", func(ctx context.Context) error { return db.CheckPooled(ctx, d.pool) }); err != nil {
			return err
		}
	}
	if err := waitFor(ctx, d.log, "Postgres", func(ctx context.Context) error { return db.CheckSchema(ctx, d.pool) }); err != nil {
		return err
	}
	if d.cfg.Worker {
		group.Go(func() error { return d.triggers.Serve(ctx, triggersOn) })
		if err := waitFor(ctx, d.log, "Postgres", func(ctx context.Context) error { return d.host.Boot(ctx, d.client) }); err != nil {
			return err
		}
		d.host.Turned = d.pulse.of("the host's lease")
		group.Go(func() error { return d.host.Run(ctx, d.client) })
	}
	// River's contexts must outlive the signal: a soft stop lets jobs end.
	if err := d.client.Start(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("start River: %w", err)
	}
	if d.cfg.Control {
		d.leads.Turned = d.pulse.of("the lead's lease")
		group.Go(func() error { return d.leads.Run(ctx, d.client) })
		group.Go(func() error { return d.retention.Run(ctx) })
	}
	d.works.Store(true)
	close(d.working)
	d.log.InfoContext(ctx, "weir-daemon runs", "version", buildinfo.Version(), "host", d.cfg.HostID, "boot", d.boot,
		"control", d.cfg.Control, "worker", d.cfg.Worker)
	<-ctx.Done()
	d.tell(ctx, d.around.service.Stopping("drains: what runs in MistServer goes on"))
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

func (d *daemon) listen(ctx context.Context) (triggersOn, apiOn, metricsOn net.Listener, err error) {
	var config net.ListenConfig
	if d.cfg.Worker {
		if triggersOn, err = config.Listen(ctx, "tcp", d.cfg.TriggerListen); err != nil {
			return nil, nil, nil, fmt.Errorf("WEIR_TRIGGER_LISTEN: %w: give a free address", err)
		}
	}
	if d.cfg.Control {
		if apiOn, err = config.Listen(ctx, "tcp", d.cfg.APIListen); err != nil {
			return nil, nil, nil, fmt.Errorf("WEIR_API_LISTEN: %w: give a free address", err)
		}
	}
	if d.cfg.MetricsListen != "" {
		if metricsOn, err = config.Listen(ctx, "tcp", d.cfg.MetricsListen); err != nil {
			return nil, nil, nil, fmt.Errorf("WEIR_METRICS_LISTEN: %w: give a free address, or nothing for no metrics", err)
		}
	}
	return triggersOn, apiOn, metricsOn, nil
}

func (d *daemon) newHost(triggersOn net.Addr) (*host.Host, error) {
	spool, err := host.OpenSpool(d.cfg.SpoolDir)
	if err != nil {
		return nil, err
	}
	client, err := mist.New(&mist.Config{URL: d.cfg.MistAPI, Username: d.cfg.MistUsername, Password: d.cfg.MistPassword, Done: d.metrics.Asked})
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
		ID: d.cfg.HostID, BootID: d.boot, Slots: d.cfg.HostSlots, Stores: d.cfg.StoreWorkers, Version: buildinfo.Version(),
		Seldom: d.cfg.Profile == config.ProfilePoll,
		DB:     d.pool, Media: tools, Storage: objects, Sealer: d.sealer, Wakes: host.NewWakes(), Log: d.log,
		Spool: spool, SpoolReserve: d.cfg.SpoolReserve, SourceMax: d.cfg.SourceMax,
		HEVC: d.cfg.HEVC, HighDepth: d.cfg.HighDepth,
		Broadcasters: d.cfg.Broadcasters, LivepeerToken: d.cfg.LivepeerToken, LivepeerAPI: d.cfg.LivepeerAPI,
		LivepeerAPIs: d.cfg.LivepeerAPIs, Guard: d.guard,
		Trace: d.trace, Meter: d.metrics,
		TriggerURL: "http://" + triggersOn.String() + triggerPath + d.cfg.HostID,
	}, nil
}

func (d *daemon) storage() *storage.Config {
	return &storage.Config{AllowHTTP: d.cfg.SourceHTTP, Guard: d.guard, Done: d.metrics.Stored}
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

func (d *daemon) startAPI(ctx context.Context, group *errgroup.Group, on net.Listener, hub *events.Hub) error {
	looks, err := d.preview()
	if err != nil {
		return err
	}
	d.served = d.api(hub)
	d.served.Preview = looks
	handler, err := api.New(d.served)
	if err != nil {
		return err
	}
	d.front.set(handler)
	d.log.InfoContext(ctx, "the API listens", "address", on.Addr().String())
	group.Go(func() error { return api.Serve(ctx, on, withCaller(&d.front), d.log) })
	return nil
}

func (d *daemon) api(hub *events.Hub) *api.Config {
	return &api.Config{
		Transcodes: d.transcodes, Tokens: d.texts.tokens, Events: hub, Ready: d.ready, Logger: d.log, AllowHTTPSource: d.cfg.SourceHTTP,
		Gateways: storage.Gateways{"ipfs": d.cfg.IPFSGateway, "ar": d.cfg.ARGateway},
		Rate:     d.cfg.APIRate, FailedAuth: d.cfg.APIFailedAuth,
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

func keep(cfg *config.Config) retention.Keep {
	return retention.Keep{
		Transcodes: cfg.KeepTranscodes, Triggers: cfg.KeepTriggers, Events: cfg.KeepEvents, CallbackAttempts: cfg.KeepCallbackAttempts,
	}
}
