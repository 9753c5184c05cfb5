// Package host is a Mist host's part in the work: its lease, the supervisors of the
// attempts that run on it, the stores of their files, and the sweep of what is left. What
// to do and what came of it are jobs.Plan's and jobs.Decider's to say.
package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"golang.org/x/sync/errgroup"

	"weir/db"
	"weir/db/dbsqlc"
	"weir/engine"
	"weir/jobs"
	"weir/jobs/host/outputs"
	"weir/jobs/tenants"
	"weir/jobs/trace"
	"weir/secret"
	"weir/storage"
	"weir/storage/dial"
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
	// hostPoll is how late a host may hear of work whose notification is lost: what it is
	// sent it is told of, and each host of a fleet asks so often.
	hostPoll = 10 * time.Second
	// residuePoll: all hosts ask, and a retry may be late.
	residuePoll = 30 * time.Second
	// reconcileEvery is how late what nobody works on, or nobody owns, may be found.
	reconcileEvery = 10 * time.Second
	// reconcileSeldom and lookSeldom are the same, and jobs.PollEvery, for a host of a large
	// fleet: three statements of each would be most of what a thousand idle ones ask.
	reconcileSeldom = 30 * time.Second
	lookSeldom      = 3 * time.Second
)

// Host is this machine's part in the work: its Mist, its spool, its lease.
type Host struct {
	ID      string
	BootID  uuid.UUID
	Slots   int
	Stores  int
	Version string

	DB     *pgxpool.Pool
	Engine Engine
	Media  Media
	// Packer is Media's, unless a test has another.
	Packer  outputs.Packer
	Storage Storage
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
	// LivepeerAPIs are further ones that a request may name, Guard has the networks where
	// it may name any.
	LivepeerAPIs []string
	Guard        *dial.Guard
	// TriggerURL is where the Engine posts its triggers.
	TriggerURL string
	// Turned is called with each round of the lease, whatever came of it; nil: nobody asks.
	Turned func()
	// Seldom: it looks at rows less often where nothing tells it to, as one of a thousand.
	Seldom bool
	// Trace follows transcodes, Meter counts; nil: nobody does.
	Trace *trace.Tracer
	Meter Meter

	stopping chan struct{}
	soon     chan struct{} // wakes reconcile
	lease    lease
	shared   db.Shared // of what is written of attempts
	gaveBack time.Time // what an older boot had
	hand     hand
	follows  follows
	clock    clock
	looks    *looks
	progress progress
	mind     mind
	end      context.CancelFunc // of what Boot began
	ended    sync.WaitGroup

	// finishing holds a place for each file that is finished and judged, and for what is packaged.
	finishing    chan struct{}
	destinations destinations
}

// Meter counts what happens on a host.
type Meter interface {
	// Renewed: the lease was renewed so long after the last time, or was not.
	Renewed(after time.Duration, err error)
	// Missed: what this trigger tells was found without it.
	Missed(trigger string)
	// Behind: so much media is at a Broadcaster and has not come back.
	Behind(broadcaster string, media time.Duration)
	// Refused: a Broadcaster has refused a segment, or has no room.
	Refused(broadcaster, what string)
}

// unmetered is a Meter that counts nothing.
type unmetered struct{}

func (unmetered) Renewed(time.Duration, error) {}
func (unmetered) Missed(string)                {}
func (unmetered) Behind(string, time.Duration) {}
func (unmetered) Refused(string, string)       {}

func (h *Host) meter() Meter {
	if h.Meter == nil {
		return unmetered{}
	}
	return h.Meter
}

// Room is h's part in a daemon's River client.
func (h *Host) Room(settings *river.Config) {
	addWorkers(settings, h)
	// A slot is free when Mist is done; cleaning up behind it holds up nobody.
	settings.Queues[jobs.HostQueue(h.ID)] = river.QueueConfig{MaxWorkers: h.Slots + min(h.Slots, cleanersMost), FetchPollInterval: hostPoll}
	h.finishing = make(chan struct{}, h.Stores)
	settings.Queues[jobs.StoreQueue(h.ID)] = river.QueueConfig{MaxWorkers: storesSpare * h.Stores}
	settings.Queues[jobs.ResidueQueue] = river.QueueConfig{MaxWorkers: residueWorkers, FetchPollInterval: residuePoll}
	settings.Middleware = append(settings.Middleware, &h.hand)
}

// NoRoom is the part of a daemon that works for no Mist: it knows the kinds.
func NoRoom(settings *river.Config) { addWorkers(settings, &Host{}) }

func addWorkers(settings *river.Config, h *Host) {
	river.AddWorker(settings.Workers, &transcodeWorker{host: h})
	river.AddWorker(settings.Workers, &storeWorker{host: h})
	river.AddWorker(settings.Workers, &packageWorker{host: h})
	river.AddWorker(settings.Workers, &residueWorker{host: h})
}

// Boot makes the host's row this boot's, and begins to look. Mist need not answer:
// until it does nothing is placed here. It fails for good with ErrHostTaken and
// ErrSpoolTaken. What it began ends with Close.
func (h *Host) Boot(ctx context.Context, client *river.Client[pgx.Tx]) error {
	spool, err := h.claimSpool(ctx)
	if err != nil {
		return fmt.Errorf("boot host %s: %w", h.ID, err)
	}
	if err := os.RemoveAll(filepath.Join(h.Spool, mendFolder)); err != nil { // a boot before this one may have been killed in it
		return fmt.Errorf("boot host %s: %w", h.ID, err)
	}
	room, err := h.spoolRoom()
	if err != nil {
		return fmt.Errorf("boot host %s: %w", h.ID, err)
	}
	h.stopping, h.soon, h.looks = make(chan struct{}), make(chan struct{}, 1), newLooks()
	h.lease.begin(ctx)
	first, cancel := context.WithTimeout(ctx, firstGreeting)
	err = h.greet(first)
	cancel()
	if errors.Is(err, engine.ErrSettings) {
		return fmt.Errorf("boot host %s: %w", h.ID, err) // no waiting mends it
	}
	is := h.mind.is()
	asked := time.Now()
	err = db.InTx(ctx, h.DB, func(tx pgx.Tx) error {
		other, err := dbsqlc.New().HostOfSpool(ctx, tx, dbsqlc.HostOfSpoolParams{SpoolID: &spool, ID: h.ID})
		if err == nil {
			return fmt.Errorf("host %s works in it: %w", other, ErrSpoolTaken)
		}
		if !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		host, err := dbsqlc.New().HostBoot(ctx, tx, dbsqlc.HostBootParams{
			ID: h.ID, BootID: h.BootID, Slots: int32(h.Slots), LeaseSeconds: jobs.LeaseLength.Seconds(),
			WeirVersion: h.Version, MistVersion: is.version, MistIID: is.iid, MistAnswers: is.answers,
			SpoolID: &spool, SpoolRoomBytes: room,
		})
		if errors.Is(err, pgx.ErrNoRows) {
			return fmt.Errorf("another machine holds it: %w", ErrHostTaken)
		}
		if err != nil {
			return err
		}
		h.clock.set(host.SeenAt, asked)
		return jobs.Decider{Tx: tx, River: client}.WakePlacement(ctx)
	})
	if err != nil {
		return fmt.Errorf("boot host %s: %w", h.ID, err)
	}
	h.lease.renewed(asked)
	looking, end := context.WithCancel(context.WithoutCancel(ctx)) // a soft stop still looks
	h.end = end
	h.ended.Go(func() {
		h.looks.run(looking, h.often(jobs.PollEvery, lookSeldom), h.look, func(err error) { h.Log.WarnContext(ctx, "could not look", "host", h.ID, "error", err) })
	})
	h.Log.InfoContext(ctx, "host booted", "host", h.ID, "boot", h.BootID, "slots", h.Slots, "mist", is.version, "iid", is.iid)
	return nil
}

// often is how often something is done that costs a statement.
func (h *Host) often(usual, seldom time.Duration) time.Duration {
	if h.Seldom {
		return seldom
	}
	return usual
}

// Close ends what Boot began, when no supervisor is left.
func (h *Host) Close() {
	if h.end != nil {
		h.end()
	}
	h.ended.Wait()
}

// Run renews the lease, greets Mist, compares what is here with the rows, and tells
// progress, until ctx ends or another boot has the host (ErrHostTaken).
func (h *Host) Run(ctx context.Context, client *river.Client[pgx.Tx]) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return h.live(ctx, client) })
	for _, part := range []struct {
		every time.Duration
		soon  <-chan struct{}
		do    func(context.Context) error
	}{
		{jobs.RenewEvery, nil, func(ctx context.Context) error { _ = h.greet(ctx); return nil }}, // it tells itself
		{h.often(reconcileEvery, reconcileSeldom), h.soon, func(ctx context.Context) error { return h.reconcile(ctx, client) }},
		{tellEvery, nil, h.tell},
	} {
		group.Go(func() error {
			tick := time.NewTicker(part.every)
			defer tick.Stop()
			for {
				if err := part.do(ctx); err != nil && ctx.Err() == nil {
					h.Log.WarnContext(ctx, "not all done", "host", h.ID, "error", err)
				}
				select {
				case <-ctx.Done():
					return nil
				case <-tick.C:
				case <-part.soon:
				}
			}
		})
	}
	return group.Wait()
}

// live renews the lease for as long as this daemon lives, whatever Mist does.
func (h *Host) live(ctx context.Context, client *river.Client[pgx.Tx]) error {
	tick := time.NewTicker(jobs.RenewEvery)
	defer tick.Stop()
	answered := h.mind.is().answers
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-h.mind.changed():
		}
		if h.Turned != nil {
			h.Turned()
		}
		last := h.lease.since()
		err := h.renew(ctx)
		if ctx.Err() == nil {
			h.meter().Renewed(last, err)
		}
		switch {
		case errors.Is(err, ErrHostTaken):
			return err
		case err != nil && ctx.Err() == nil:
			h.Log.WarnContext(ctx, "lease not renewed", "host", h.ID, "error", err)
			continue
		}
		if h.mind.is().answers && !answered {
			if _, err := client.Insert(ctx, jobs.PlaceArgs{}, nil); err != nil { // else the periodic round comes
				h.Log.InfoContext(ctx, "no placement asked for", "error", err)
			}
		}
		answered = h.mind.is().answers
	}
}

func (h *Host) renew(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, jobs.RenewEvery)
	defer cancel()
	asked := time.Now()
	room, err := h.spoolRoom()
	if err != nil {
		return err
	}
	is := h.mind.is()
	seen, err := dbsqlc.New().HostRenew(ctx, h.DB, dbsqlc.HostRenewParams{
		ID: h.ID, BootID: h.BootID, LeaseSeconds: jobs.LeaseLength.Seconds(),
		MistVersion: is.version, MistIID: is.iid, MistAnswers: is.answers, SpoolRoomBytes: room,
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

// reconcileSoon has the next comparison begin at once.
func (h *Host) reconcileSoon() {
	select {
	case h.soon <- struct{}{}:
	default: // it will
	}
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

// locate opens a sealed location of a transcode. What s3:// leads to are the tenant's
// stores as they are now: their keys may have changed since the request was accepted.
func (h *Host) locate(ctx context.Context, t *dbsqlc.Transcode, column jobs.Sealed, value []byte, use tenants.Use) (storage.Location, error) {
	url, err := h.open(t, column, value)
	if err != nil {
		return storage.Location{}, err
	}
	location, err := storage.ParseLocation(url)
	if err != nil {
		return location, err
	}
	return Lead(ctx, &tenants.Stores{DB: h.DB, Sealer: h.Sealer}, t.Tenant, location, use)
}

// Lead returns an s3:// location of a tenant on the server that its stores say, and any
// other as it is. The error is a [jobs.Failure] where there is no store for it.
func Lead(ctx context.Context, stores *tenants.Stores, tenant string, location storage.Location, use tenants.Use) (storage.Location, error) {
	if !location.NeedsServer() {
		return location, nil
	}
	store, err := stores.Open(ctx, tenant, location.Store(), location.Bucket(), location.Key(), use)
	switch {
	case errors.Is(err, tenants.ErrNoStore), errors.Is(err, tenants.ErrKeys):
		return storage.Location{}, jobs.Failed(jobs.CodeStoreUnknown, stageOf(use), err.Error())
	case err != nil:
		return storage.Location{}, &rowError{"look for the store", err}
	}
	return location.On(&storage.Server{
		Endpoint: store.Endpoint, Region: store.Region, PathStyle: store.PathStyle, AccessKey: store.AccessKey, SecretKey: store.SecretKey,
	}), nil
}

func stageOf(use tenants.Use) jobs.Stage {
	if use == tenants.Read {
		return jobs.StageFetch
	}
	return jobs.StageStore
}
