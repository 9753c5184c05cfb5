package jobs

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"

	"weir/db/dbsqlc"
	"weir/db/migrations"
	"weir/jobs/poll"
	"weir/jobs/trace"
)

// River's settings, each because its default does not fit.
const (
	// fetchCooldown: River's 100 ms would be most of a small transcode's latency.
	fetchCooldown = 10 * time.Millisecond
	// fetchPoll is how late a job may start whose notification is lost, or that waits for
	// less than River's scheduler looks (5 s): every queue of every daemon asks so often.
	fetchPoll = 5 * time.Second
	// softStop lets stores and callbacks in hand end before their contexts do.
	softStop = 10 * time.Second
	// rescueAfter is for the short kinds; a longer kind's own timeout counts for it.
	// River's hour would keep a dead daemon's callback for as long.
	rescueAfter = 2 * time.Minute
	// jobTimeout is for kinds without one of their own.
	jobTimeout = time.Minute
	// keepDone: our own rows are the history, River's are only its work.
	keepDone = 6 * time.Hour
	// keepDiscarded leaves a weekend for somebody to look.
	keepDiscarded = 7 * 24 * time.Hour
)

// ClientID names a run of a daemon in River's rows.
func ClientID(host string, boot uuid.UUID) string { return host + "_" + boot.String() }

// NewInserter returns a client that inserts jobs of all kinds and works none.
func NewInserter(pool *pgxpool.Pool) (*river.Client[pgx.Tx], error) {
	client, err := river.NewClient(riverpgxv5.New(pool), &river.Config{Schema: migrations.Schema, Middleware: []rivertype.Middleware{&inserted{}}})
	if err != nil {
		return nil, fmt.Errorf("open River: %w", err)
	}
	return client, nil
}

// Config is what all daemons are, whatever they work on.
type Config struct {
	DB  *pgxpool.Pool
	Log *slog.Logger
	// HostID and BootID name the daemon, also one that works for no Mist.
	HostID string
	BootID uuid.UUID
	// Trace hands on what jobs are about; nil: nothing is.
	Trace *trace.Jobs
	// Polls: it asks for its jobs and does not LISTEN.
	Polls bool
}

// Room adds to a client the kinds that it works, and the queues that this daemon takes
// work from: none, where the daemon has no part in it. The kinds are registered
// everywhere: a leader discards stuck jobs of kinds that it does not know.
type Room func(*river.Config)

// NewClient returns the River client of a daemon.
func NewClient(cfg *Config, rooms ...Room) (*river.Client[pgx.Tx], error) {
	settings := &river.Config{
		ID:                          ClientID(cfg.HostID, cfg.BootID),
		Schema:                      migrations.Schema,
		Logger:                      cfg.Log,
		Workers:                     river.NewWorkers(),
		Middleware:                  []rivertype.Middleware{&inserted{}},
		Queues:                      map[string]river.QueueConfig{},
		LeaderElectionDisabled:      true, // a room that leads turns it on
		FetchCooldown:               fetchCooldown,
		FetchPollInterval:           fetchPoll,
		SoftStopTimeout:             softStop,
		RescueStuckJobsAfter:        rescueAfter,
		JobTimeout:                  jobTimeout,
		CompletedJobRetentionPeriod: keepDone,
		CancelledJobRetentionPeriod: keepDone,
		DiscardedJobRetentionPeriod: keepDiscarded,
	}
	if cfg.Trace != nil {
		settings.Middleware = append(settings.Middleware, cfg.Trace)
		settings.Logger = cfg.Trace.River(cfg.Log)
	}
	for _, room := range rooms {
		room(settings)
	}
	var driver riverdriver.Driver[pgx.Tx] = riverpgxv5.New(cfg.DB)
	if cfg.Polls {
		driver = poll.Room(settings, cfg.DB, ResidueQueue)
	}
	client, err := river.NewClient(driver, settings)
	if err != nil {
		return nil, fmt.Errorf("open River: %w", err)
	}
	return client, nil
}

// InsertTranscode inserts an attempt's job, and names it in the attempt's row.
func (d Decider) InsertTranscode(ctx context.Context, args TranscodeArgs, queue string) error {
	job, err := d.River.InsertTx(ctx, d.Tx, args, &river.InsertOpts{Queue: queue})
	if err != nil {
		return err
	}
	return dbsqlc.New().AttemptSetJob(ctx, d.Tx, dbsqlc.AttemptSetJobParams{
		TranscodeID: args.TranscodeID, Number: args.Attempt, JobID: &job.Job.ID,
	})
}

// InsertStore inserts a rendition's job, and names it in the rendition's row.
func (d Decider) InsertStore(ctx context.Context, args StoreArgs, queue string) error {
	job, err := d.River.InsertTx(ctx, d.Tx, args, &river.InsertOpts{Queue: queue})
	if err != nil {
		return err
	}
	return dbsqlc.New().RenditionSetJob(ctx, d.Tx, dbsqlc.RenditionSetJobParams{
		TranscodeID: args.TranscodeID, Name: args.Rendition, Attempt: args.Attempt, JobID: &job.Job.ID,
	})
}

// InsertPackage inserts the job that packages, and names it in the attempt's row.
func (d Decider) InsertPackage(ctx context.Context, args PackageArgs, queue string) error {
	job, err := d.River.InsertTx(ctx, d.Tx, args, &river.InsertOpts{Queue: queue})
	if err != nil {
		return err
	}
	return dbsqlc.New().AttemptSetPackage(ctx, d.Tx, dbsqlc.AttemptSetPackageParams{
		TranscodeID: args.TranscodeID, Number: args.Attempt, JobID: &job.Job.ID,
	})
}

// InsertCallback inserts a delivery's job, and names it in the callback's row; a
// redelivery's is nobody's.
func (d Decider) InsertCallback(ctx context.Context, args CallbackArgs) error {
	job, err := d.River.InsertTx(ctx, d.Tx, args, nil)
	if err != nil || args.Redelivery {
		return err
	}
	return dbsqlc.New().CallbackSetJob(ctx, d.Tx, dbsqlc.CallbackSetJobParams{ID: args.CallbackID, JobID: &job.Job.ID})
}

// InsertAccept inserts a job for a request of the inbox, and names it in its row.
func (d Decider) InsertAccept(ctx context.Context, args AcceptArgs) error {
	job, err := d.River.InsertTx(ctx, d.Tx, args, nil)
	if err != nil {
		return err
	}
	_, err = dbsqlc.New().InboxSetJob(ctx, d.Tx, dbsqlc.InboxSetJobParams{ID: args.ID, JobID: job.Job.ID})
	return err
}

// inserted dates new jobs by the database's clock. River's driver takes the inserting
// program's, and fetches by the database's: a host whose clock is ahead would hold up
// by as much whatever it inserts. (riverpgxv5: a zero time becomes now().)
type inserted struct{ river.MiddlewareDefaults }

var _ rivertype.JobInsertMiddleware = (*inserted)(nil)

// InsertMany implements rivertype.JobInsertMiddleware.
func (*inserted) InsertMany(ctx context.Context, jobs []*rivertype.JobInsertParams,
	insert func(context.Context) ([]*rivertype.JobInsertResult, error),
) ([]*rivertype.JobInsertResult, error) {
	for _, job := range jobs {
		job.CreatedAt = &time.Time{}
		if job.State == rivertype.JobStateAvailable {
			job.ScheduledAt = &time.Time{}
		}
	}
	return insert(ctx)
}
