// Package host is a Mist host's part in the work: its lease, the supervisors of the
// attempts that run on it, the stores of their files, and the sweep of what is left. What
// to do and what came of it are jobs.Plan's and jobs.Decider's to say.
package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"

	"weir/db"
	"weir/db/dbsqlc"
	"weir/jobs"
	"weir/media"
	"weir/secret"
	"weir/storage"
)

const (
	// leaseMargin before the lease's end a host that can't renew lets go of what runs:
	// time to stop it before another host may begin.
	leaseMargin = 5 * time.Second
	// upgradeLease is how long what runs waits for the next boot after a soft stop.
	upgradeLease = time.Minute
)

// ErrHostTaken: another boot has taken this host's row; this daemon must stop.
var ErrHostTaken = errors.New("another daemon has taken this host id: give each host its own WEIR_HOST_ID")

const (
	// cleanersMost is how many attempts may be cleaned up beside those that hold a slot.
	cleanersMost = 16
	// residueWorkers: nobody waits for it.
	residueWorkers = 1
	// residuePoll: all hosts ask, and a retry may be late.
	residuePoll = 5 * time.Second
)

// Host is this machine's part in the work: its Mist, its spool, its lease.
type Host struct {
	ID      string
	BootID  uuid.UUID
	Slots   int
	Stores  int
	Version string

	DB      *pgxpool.Pool
	Engine  Engine
	Media   *media.Tools
	Storage *storage.Client
	Sealer  *secret.Sealer
	Wakes   *Wakes
	Log     *slog.Logger

	// Spool is what OpenSpool returned.
	Spool        string
	SpoolReserve int64
	SourceMax    int64
	// HEVC and HighDepth: sources that are such pass as they are (media.Options).
	HEVC, HighDepth bool
	// Broadcasters, or LivepeerToken and LivepeerAPI, say how to reach Livepeer.
	Broadcasters  []string
	LivepeerToken secret.Secret
	LivepeerAPI   string
	// TriggerURL is where the Engine posts its triggers.
	TriggerURL string

	stopping chan struct{}
	lease    lease
	hand     hand
	follows  follows
	clock    clock
}

// Room is h's part in a daemon's River client.
func (h *Host) Room(settings *river.Config) {
	addWorkers(settings, h)
	// A slot is free when Mist is done; cleaning up behind it holds up nobody.
	settings.Queues[jobs.HostQueue(h.ID)] = river.QueueConfig{MaxWorkers: h.Slots + min(h.Slots, cleanersMost)}
	settings.Queues[jobs.StoreQueue(h.ID)] = river.QueueConfig{MaxWorkers: h.Stores}
	settings.Queues[jobs.ResidueQueue] = river.QueueConfig{MaxWorkers: residueWorkers, FetchPollInterval: residuePoll}
	settings.Middleware = append(settings.Middleware, &h.hand)
}

// NoRoom is the part of a daemon that works for no Mist: it knows the kinds.
func NoRoom(settings *river.Config) { addWorkers(settings, &Host{}) }

func addWorkers(settings *river.Config, h *Host) {
	river.AddWorker(settings.Workers, &transcodeWorker{host: h})
	river.AddWorker(settings.Workers, &storeWorker{host: h})
	river.AddWorker(settings.Workers, &residueWorker{host: h})
}

// Boot makes the host's row this boot's, takes over what an older boot left
// running, and registers the triggers. Mist has to answer.
func (h *Host) Boot(ctx context.Context, client *river.Client[pgx.Tx]) error {
	h.stopping = make(chan struct{})
	h.lease.begin(ctx)
	info, err := h.Engine.Info(ctx)
	if err != nil {
		return fmt.Errorf("boot host %s: %w", h.ID, err)
	}
	if _, err := h.Engine.Listen(ctx, h.TriggerURL); err != nil {
		return fmt.Errorf("boot host %s: %w", h.ID, err)
	}
	room, err := h.spoolRoom()
	if err != nil {
		return fmt.Errorf("boot host %s: %w", h.ID, err)
	}
	asked := time.Now()
	err = db.InTx(ctx, h.DB, func(tx pgx.Tx) error {
		q := dbsqlc.New()
		host, err := q.HostBoot(ctx, tx, dbsqlc.HostBootParams{
			ID: h.ID, BootID: h.BootID, Slots: int32(h.Slots), LeaseSeconds: jobs.LeaseLength.Seconds(),
			WeirVersion: h.Version, MistVersion: info.Version, MistIID: info.IID, SpoolRoomBytes: room,
		})
		if err != nil {
			return err
		}
		h.clock.set(host.SeenAt, asked)
		if err := h.takeOver(ctx, tx, client); err != nil {
			return err
		}
		_, err = client.InsertTx(ctx, tx, jobs.PlaceArgs{}, nil)
		return err
	})
	if err != nil {
		return fmt.Errorf("boot host %s: %w", h.ID, err)
	}
	h.lease.renewed(asked)
	h.Log.InfoContext(ctx, "host booted", "host", h.ID, "boot", h.BootID, "slots", h.Slots, "mist", info.Version, "iid", info.IID)
	return nil
}

// takeOver ends the River rows that an older boot of this host was running when it
// died, and inserts new ones in their place: River itself would wait for hours, and
// would let the dead one's answer complete them.
func (h *Host) takeOver(ctx context.Context, tx pgx.Tx, client *river.Client[pgx.Tx]) error {
	q := dbsqlc.New()
	orphans, err := q.RiverJobOrphans(ctx, tx, dbsqlc.RiverJobOrphansParams{HostID: h.ID, ClientID: jobs.ClientID(h.ID, h.BootID)})
	if err != nil {
		return fmt.Errorf("find the jobs of an older boot: %w", err)
	}
	for _, job := range orphans {
		if err := h.redo(ctx, tx, client, job); err != nil {
			return err
		}
		h.Log.InfoContext(ctx, "job taken over from an older boot", "job", job.ID, "kind", job.Kind)
	}
	return nil
}

// redo ends the row of a job that nobody works, and inserts a new one in its place.
func (h *Host) redo(ctx context.Context, tx pgx.Tx, client *river.Client[pgx.Tx], job dbsqlc.RiverJobOrphansRow) error {
	ended, err := dbsqlc.New().RiverJobFinalize(ctx, tx, dbsqlc.RiverJobFinalizeParams{ID: job.ID, HostID: h.ID})
	if err != nil {
		return fmt.Errorf("end job %d: %w", job.ID, err)
	}
	if ended == 0 {
		return nil // it has ended by itself
	}
	if err := (jobs.Decider{Tx: tx, River: client}).Again(ctx, job); err != nil {
		return fmt.Errorf("insert job %d again: %w", job.ID, err)
	}
	return nil
}

// Run renews the lease, and sweeps, until ctx ends or another boot has the host
// (ErrHostTaken). While Mist does not answer it renews nothing: nothing new is
// placed here then, and in time what runs here starts elsewhere.
func (h *Host) Run(ctx context.Context, client *river.Client[pgx.Tx]) error {
	tick := time.NewTicker(jobs.RenewEvery)
	defer tick.Stop()
	for {
		h.sweepOnce(ctx, client)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		err := h.renew(ctx)
		switch {
		case errors.Is(err, ErrHostTaken):
			return err
		case err != nil && ctx.Err() == nil:
			h.Log.WarnContext(ctx, "lease not renewed", "host", h.ID, "error", err)
		}
	}
}

// sweepOnce sweeps for a while that leaves enough of the lease to renew it: what is
// not reached comes next time.
func (h *Host) sweepOnce(ctx context.Context, client *river.Client[pgx.Tx]) {
	limited, cancel := context.WithTimeout(ctx, jobs.RenewEvery)
	defer cancel()
	if err := h.sweep(limited, client); err != nil && ctx.Err() == nil {
		h.Log.WarnContext(ctx, "sweep not finished", "host", h.ID, "error", err)
	}
}

func (h *Host) renew(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, jobs.RenewEvery)
	defer cancel()
	asked := time.Now()
	info, err := h.Engine.Info(ctx)
	if err != nil {
		return err
	}
	// This mends what a restarted or reconfigured controller lost.
	changed, err := h.Engine.Listen(ctx, h.TriggerURL)
	if err != nil {
		return err
	}
	if changed {
		h.Log.WarnContext(ctx, "triggers registered again", "host", h.ID, "iid", info.IID)
	}
	room, err := h.spoolRoom()
	if err != nil {
		return err
	}
	seen, err := dbsqlc.New().HostRenew(ctx, h.DB, dbsqlc.HostRenewParams{
		ID: h.ID, BootID: h.BootID, LeaseSeconds: jobs.LeaseLength.Seconds(),
		MistVersion: info.Version, MistIID: info.IID, SpoolRoomBytes: room,
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("host %s: %w", h.ID, ErrHostTaken)
	}
	if err != nil {
		return fmt.Errorf("renew the lease of host %s: %w", h.ID, err)
	}
	h.clock.set(seen, asked)
	h.lease.renewed(asked)
	return nil
}

// Stop lets the supervisors go: they leave MistProcLivepeer running, and the next
// boot takes it up. Nothing new is placed here until then.
func (h *Host) Stop(ctx context.Context) error {
	close(h.stopping)
	h.follows.stop()
	asked := time.Now()
	if err := dbsqlc.New().HostStop(ctx, h.DB, dbsqlc.HostStopParams{
		ID: h.ID, BootID: h.BootID, LeaseSeconds: upgradeLease.Seconds(),
	}); err != nil {
		return fmt.Errorf("stop host %s: %w", h.ID, err)
	}
	h.lease.renewed(asked)
	return nil
}

// stops says whether the daemon stops softly.
func (h *Host) stops() bool {
	select {
	case <-h.stopping:
		return true
	default:
		return false
	}
}

// open opens a sealed column of a transcode.
func (h *Host) open(t *dbsqlc.Transcode, column jobs.Sealed, value []byte) (string, error) {
	return column.Open(h.Sealer, t.ID, value)
}
