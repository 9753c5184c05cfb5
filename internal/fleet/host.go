// Package fleet runs the loops of many hosts in one process, each with a lease, queues and
// connections of its own, and with an Engine that costs nothing, unless it is given another:
// what is left is what hosts ask of Postgres.
package fleet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"

	"weir/db"
	"weir/engine"
	"weir/jobs"
	"weir/jobs/control"
	"weir/jobs/doctor"
	"weir/jobs/host"
	"weir/media"
	"weir/secret"
	"weir/storage"
	"weir/storage/dial"
	"weir/studio"
	"weir/triggers"
)

const (
	// connsUsual is what a host of a fleet needs: its loops seldom ask at once.
	connsUsual = 4
	// leadConns is a daemon's default.
	leadConns = 16
	// storesUsual is a daemon's default.
	storesUsual = 4
	// stopMost bounds the end of one.
	stopMost = 30 * time.Second
)

// Config is what the daemons of a fleet have in common.
type Config struct {
	Database secret.Secret
	// Polls: they do not LISTEN, and come through a PgBouncer.
	Polls  bool
	Sealer *secret.Sealer
	// Dir has their spools.
	Dir   string
	Slots int
	// Stores and Conns are each host's; 0: as usual.
	Stores int
	Conns  int32
	Log    *slog.Logger
	// Equip gives a host another Engine, Media or Storage before it boots, and says what else
	// its daemon works on; nil: an Engine that has nothing to do, and the real rest.
	Equip func(*host.Host) (jobs.Room, error)
	// Leads gives a daemon that leads what else it works on, before it starts; nil: nothing.
	Leads func(*control.Control) error
	// Trace sees what a host asks of Postgres; nil: nobody does.
	Trace func(id string) pgx.QueryTracer
}

// Daemon is a daemon that runs.
type Daemon struct {
	host   *host.Host
	studio *studio.Client
	store  *storage.Client
	pool   *pgxpool.Pool
	client *river.Client[pgx.Tx]
	end    context.CancelFunc
	ended  chan error
}

func (c *Config) open(ctx context.Context, conns int32) (*pgxpool.Pool, error) {
	if c.Polls {
		return db.OpenPooled(ctx, string(c.Database), conns)
	}
	return db.Open(ctx, string(c.Database), conns)
}

// traced is open for a host, whose queries somebody may see.
func (c *Config) traced(ctx context.Context, id string) (*pgxpool.Pool, error) {
	conns := c.Conns
	if conns == 0 {
		conns = connsUsual
	}
	pool, err := c.open(ctx, conns)
	if err != nil || c.Trace == nil {
		return pool, err
	}
	settings := pool.Config()
	pool.Close() // it has connected to nothing yet
	settings.ConnConfig.Tracer = c.Trace(id)
	if pool, err = pgxpool.NewWithConfig(ctx, settings); err != nil {
		return nil, fmt.Errorf("open a pool: %w", err)
	}
	return pool, nil
}

// Host starts the host of this id, as cmd/daemon does for a machine that only works.
func (c *Config) Host(ctx context.Context, id string) (_ *Daemon, err error) {
	d := &Daemon{ended: make(chan error, 1)}
	defer func() {
		if err != nil {
			err = fmt.Errorf("host %s of the fleet: %w", id, err)
			d.close()
		}
	}()
	if d.pool, err = c.traced(ctx, id); err != nil {
		return nil, err
	}
	guard, err := loopback()
	if err != nil {
		return nil, err
	}
	if d.store, err = storage.New(&storage.Config{AllowHTTP: true, PathStyle: true, Guard: guard}); err != nil {
		return nil, err
	}
	spool, err := host.OpenSpool(filepath.Join(c.Dir, id))
	if err != nil {
		return nil, err
	}
	boot, stores := uuid.New(), c.Stores
	if stores == 0 {
		stores = storesUsual
	}
	d.host = &host.Host{
		ID: id, BootID: boot, Slots: c.Slots, Stores: stores, Seldom: c.Polls, Version: "fleet",
		DB: d.pool, Engine: nothing{}, Media: &media.Tools{}, Storage: d.store, Sealer: c.Sealer,
		Wakes: host.NewWakes(), Log: c.Log, Spool: spool, SourceMax: 1 << 30, Guard: guard,
	}
	room := triggers.NoRoom
	if c.Equip != nil {
		if room, err = c.Equip(d.host); err != nil {
			return nil, err
		}
	}
	leads := &control.Control{DB: d.pool, Sealer: c.Sealer, Log: c.Log}
	if d.client, err = jobs.NewClient(&jobs.Config{DB: d.pool, Log: c.Log, HostID: id, BootID: boot, Polls: c.Polls},
		leads.Room, d.host.Room, room, (&doctor.Examiner{}).Room); err != nil {
		return nil, err
	}
	if err := d.host.Boot(ctx, d.client); err != nil {
		return nil, err
	}
	if err := d.client.Start(context.WithoutCancel(ctx)); err != nil {
		return nil, err
	}
	running, end := context.WithCancel(context.WithoutCancel(ctx))
	d.end = end
	go func() { d.ended <- d.host.Run(running, d.client) }()
	return d, nil
}

// Lead starts a daemon that places, reaps and calls back.
func (c *Config) Lead(ctx context.Context, id string) (_ *Daemon, err error) {
	d := &Daemon{ended: make(chan error, 1)}
	defer func() {
		if err != nil {
			err = fmt.Errorf("lead %s of the fleet: %w", id, err)
			d.close()
		}
	}()
	if d.pool, err = c.open(ctx, leadConns); err != nil {
		return nil, err
	}
	guard, err := loopback()
	if err != nil {
		return nil, err
	}
	d.studio = studio.New(&studio.Config{Guard: guard})
	leads := &control.Control{DB: d.pool, Sealer: c.Sealer, Studio: d.studio, Log: c.Log}
	if c.Leads != nil {
		if err := c.Leads(leads); err != nil {
			return nil, err
		}
	}
	if d.client, err = jobs.NewClient(&jobs.Config{DB: d.pool, Log: c.Log, HostID: id, BootID: uuid.New(), Polls: c.Polls},
		leads.Room, host.NoRoom, triggers.NoRoom, (&doctor.Examiner{}).Room); err != nil {
		return nil, err
	}
	if err := d.client.Start(context.WithoutCancel(ctx)); err != nil {
		return nil, err
	}
	running, end := context.WithCancel(context.WithoutCancel(ctx))
	d.end = end
	go func() { d.ended <- leads.Run(running, d.client) }()
	return d, nil
}

func loopback() (*dial.Guard, error) {
	networks, err := dial.ParseNetworks([]string{"127.0.0.0/8"})
	if err != nil {
		return nil, err
	}
	return &dial.Guard{Allowed: networks}, nil
}

// Stop ends it softly, as a daemon that is told to.
func (d *Daemon) Stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopMost)
	defer cancel()
	var errs []error
	d.end()
	errs = append(errs, <-d.ended)
	if d.host != nil {
		errs = append(errs, d.host.Stop(ctx))
	}
	errs = append(errs, d.client.Stop(ctx))
	d.close()
	return errors.Join(errs...)
}

func (d *Daemon) close() {
	if d.host != nil {
		d.host.Close()
	}
	if d.store != nil {
		d.store.Close()
	}
	if d.studio != nil {
		d.studio.Close()
	}
	if d.pool != nil {
		d.pool.Close()
	}
}

// nothing is an Engine with nothing to do, which answers at once.
type nothing struct{ host.Engine }

func (nothing) Info(context.Context) (engine.Info, error) {
	return engine.Info{Version: "none", IID: "none"}, nil
}
func (nothing) Listen(context.Context, string) (bool, error)              { return false, nil }
func (nothing) Look(context.Context, ...engine.Name) (engine.Look, error) { return engine.Look{}, nil }
func (nothing) Added(context.Context) ([]engine.Name, error)              { return nil, nil }
func (nothing) Find() ([]engine.Found, error)                             { return nil, nil }
func (nothing) InUse() (map[engine.Name]bool, error)                      { return nil, nil } //nolint:nilnil // none
func (nothing) Memory() ([]engine.Memory, error)                          { return nil, nil }
func (nothing) Remove(context.Context, engine.Name) error                 { return nil }
func (nothing) TrimLog(string) error                                      { return nil }
func (nothing) LastWords(string, int64) (string, error)                   { return "", nil }
