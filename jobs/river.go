package jobs

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"

	"weir/db/dbsqlc"
	"weir/db/migrations"
	"weir/secret"
	"weir/studio"
)

// River's settings, each because its default does not fit.
const (
	// fetchCooldown: River's 100 ms would be most of a small transcode's latency.
	fetchCooldown = 10 * time.Millisecond
	// fetchPoll is how late a scheduled job may start: retries and callbacks are.
	fetchPoll = time.Second
	// softStop lets stores and callbacks in hand end before their contexts do.
	softStop = 10 * time.Second
	// cleanersMost is how many attempts may be cleaned up beside those that hold a slot.
	cleanersMost = 16
	// rescueAfter is for the short kinds; a longer kind's own timeout counts for it.
	// River's hour would keep a dead daemon's callback for as long.
	rescueAfter = 2 * time.Minute
	// jobTimeout is for kinds without one of their own.
	jobTimeout = time.Minute
	// keepDone: our own rows are the history, River's are only its work.
	keepDone = 6 * time.Hour
	// keepDiscarded leaves a weekend for somebody to look.
	keepDiscarded = 7 * 24 * time.Hour
	// placeWorkers: rounds exclude each other anyway.
	placeWorkers = 1
	// callbackWorkers: a slow receiver holds one for 10 s at the most.
	callbackWorkers = 32
	statusWorkers   = 1
)

// hostQueue is the queue of a host's transcodes, storeQueue that of its stores.
func hostQueue(host string) string  { return "host-" + host }
func storeQueue(host string) string { return "host-" + host + "-store" }

// clientID names a run of a daemon in River's rows.
func clientID(host string, boot uuid.UUID) string { return host + "_" + boot.String() }

// NewInserter returns a client that inserts jobs of all kinds and works none.
func NewInserter(pool *pgxpool.Pool) (*river.Client[pgx.Tx], error) {
	client, err := river.NewClient(riverpgxv5.New(pool), &river.Config{Schema: migrations.Schema, Middleware: []rivertype.Middleware{&inserted{}}})
	if err != nil {
		return nil, fmt.Errorf("open River: %w", err)
	}
	return client, nil
}

// Config says what a daemon works on.
type Config struct {
	DB     *pgxpool.Pool
	Log    *slog.Logger
	Sealer *secret.Sealer
	// HostID and BootID name the daemon, also one that works for no Mist.
	HostID string
	BootID uuid.UUID
	// Host works for this machine's Mist; nil: it has none.
	Host *Host
	// Studio delivers callbacks; nil: this daemon does not lead.
	Studio *studio.Client
}

// NewClient returns the River client of a daemon. Its kinds are all registered
// everywhere: a leader discards stuck jobs of kinds that it does not know.
func NewClient(cfg *Config) (*river.Client[pgx.Tx], error) {
	host := cfg.Host
	if host == nil {
		host = &Host{}
	}
	workers := river.NewWorkers()
	river.AddWorker(workers, &placeWorker{db: cfg.DB, log: cfg.Log})
	river.AddWorker(workers, &transcodeWorker{host: host})
	river.AddWorker(workers, &storeWorker{host: host})
	river.AddWorker(workers, &residueWorker{host: host})
	river.AddWorker(workers, &callbackWorker{db: cfg.DB, sealer: cfg.Sealer, studio: cfg.Studio, log: cfg.Log})
	river.AddWorker(workers, &statusWorker{db: cfg.DB, sealer: cfg.Sealer, studio: cfg.Studio, log: cfg.Log})

	queues := map[string]river.QueueConfig{}
	var periodic []*river.PeriodicJob
	if cfg.Studio != nil {
		queues[placeQueue] = river.QueueConfig{MaxWorkers: placeWorkers}
		queues[callbackQueue] = river.QueueConfig{MaxWorkers: callbackWorkers}
		queues[statusQueue] = river.QueueConfig{MaxWorkers: statusWorkers}
		periodic = []*river.PeriodicJob{every(placeEvery, PlaceArgs{}), every(statusEvery, StatusArgs{})}
	}
	if cfg.Host != nil {
		// A slot is free when Mist is done; cleaning up behind it holds up nobody.
		queues[hostQueue(host.ID)] = river.QueueConfig{MaxWorkers: host.Slots + min(host.Slots, cleanersMost)}
		queues[storeQueue(host.ID)] = river.QueueConfig{MaxWorkers: host.Stores}
		queues[residueQueue] = river.QueueConfig{MaxWorkers: residueWorkers, FetchPollInterval: residuePoll}
	}
	client, err := river.NewClient(riverpgxv5.New(cfg.DB), &river.Config{
		ID:                          clientID(cfg.HostID, cfg.BootID),
		Schema:                      migrations.Schema,
		Logger:                      cfg.Log,
		Workers:                     workers,
		Middleware:                  []rivertype.Middleware{&inserted{}, &host.hand},
		Queues:                      queues,
		PeriodicJobs:                periodic,
		LeaderElectionDisabled:      cfg.Studio == nil,
		FetchCooldown:               fetchCooldown,
		FetchPollInterval:           fetchPoll,
		SoftStopTimeout:             softStop,
		RescueStuckJobsAfter:        rescueAfter,
		JobTimeout:                  jobTimeout,
		CompletedJobRetentionPeriod: keepDone,
		CancelledJobRetentionPeriod: keepDone,
		DiscardedJobRetentionPeriod: keepDiscarded,
	})
	if err != nil {
		return nil, fmt.Errorf("open River: %w", err)
	}
	return client, nil
}

func every(interval time.Duration, args river.JobArgs) *river.PeriodicJob {
	return river.NewPeriodicJob(river.PeriodicInterval(interval),
		func() (river.JobArgs, *river.InsertOpts) { return args, nil },
		&river.PeriodicJobOpts{RunOnStart: true})
}

// again inserts a new job in place of one whose owner died, and names it in the
// rows that name the old one.
func again(ctx context.Context, tx pgx.Tx, client *river.Client[pgx.Tx], old dbsqlc.RiverJobOrphansRow) error {
	switch old.Kind {
	case TranscodeArgs{}.Kind():
		var args TranscodeArgs
		if err := json.Unmarshal(old.Args, &args); err != nil {
			return fmt.Errorf("read arguments: %w", err)
		}
		return insertTranscode(ctx, tx, client, args, old.Queue)
	case StoreArgs{}.Kind():
		var args StoreArgs
		if err := json.Unmarshal(old.Args, &args); err != nil {
			return fmt.Errorf("read arguments: %w", err)
		}
		return insertStore(ctx, tx, client, args, old.Queue)
	case CallbackArgs{}.Kind():
		var args CallbackArgs
		if err := json.Unmarshal(old.Args, &args); err != nil {
			return fmt.Errorf("read arguments: %w", err)
		}
		return insertCallback(ctx, tx, client, args)
	case ResidueArgs{}.Kind():
		var args ResidueArgs
		if err := json.Unmarshal(old.Args, &args); err != nil {
			return fmt.Errorf("read arguments: %w", err)
		}
		_, err := client.InsertTx(ctx, tx, args, nil)
		return err
	default:
		return nil // periodic kinds come by themselves
	}
}

func insertTranscode(ctx context.Context, tx pgx.Tx, client *river.Client[pgx.Tx], args TranscodeArgs, queue string) error {
	job, err := client.InsertTx(ctx, tx, args, &river.InsertOpts{Queue: queue})
	if err != nil {
		return err
	}
	return dbsqlc.New().AttemptSetJob(ctx, tx, dbsqlc.AttemptSetJobParams{
		TranscodeID: args.TranscodeID, Number: args.Attempt, JobID: &job.Job.ID,
	})
}

func insertStore(ctx context.Context, tx pgx.Tx, client *river.Client[pgx.Tx], args StoreArgs, queue string) error {
	job, err := client.InsertTx(ctx, tx, args, &river.InsertOpts{Queue: queue, MaxAttempts: storeTries})
	if err != nil {
		return err
	}
	return dbsqlc.New().RenditionSetJob(ctx, tx, dbsqlc.RenditionSetJobParams{
		TranscodeID: args.TranscodeID, Name: args.Rendition, Attempt: args.Attempt, JobID: &job.Job.ID,
	})
}

func insertCallback(ctx context.Context, tx pgx.Tx, client *river.Client[pgx.Tx], args CallbackArgs) error {
	job, err := client.InsertTx(ctx, tx, args, nil)
	if err != nil || args.Redelivery {
		return err
	}
	return dbsqlc.New().CallbackSetJob(ctx, tx, dbsqlc.CallbackSetJobParams{ID: args.CallbackID, JobID: &job.Job.ID})
}
