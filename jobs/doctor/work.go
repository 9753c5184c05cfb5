package doctor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"

	"weir/db"
	"weir/db/dbsqlc"
	"weir/jobs"
)

const (
	// AskEvery is how old the rows of the cheap checks may be: little beside what a person
	// needs to wake up.
	AskEvery = 5 * time.Minute
	// workMost is above the longest check.
	workMost = 2 * time.Minute
)

// Examiner is a daemon's part in it.
type Examiner struct {
	DB *pgxpool.Pool
	// Host are the checks of what is around it, where it works for a Mist; HostID names it.
	Host   []Check
	HostID string
	// Control are those of a daemon that leads; nil: it does not.
	Control []Check
}

// Room is e's part in a daemon's River client. It adds no queue.
func (e *Examiner) Room(settings *river.Config) {
	river.AddWorker(settings.Workers, &examineWorker{examiner: e})
	if e.Control == nil {
		return
	}
	settings.PeriodicJobs = append(settings.PeriodicJobs, river.NewPeriodicJob(river.PeriodicInterval(AskEvery),
		func() (river.JobArgs, *river.InsertOpts) { return jobs.ExamineArgs{}, nil }, nil))
}

type examineWorker struct {
	river.WorkerDefaults[jobs.ExamineArgs]

	examiner *Examiner
}

// Timeout implements river.Worker.
func (*examineWorker) Timeout(*river.Job[jobs.ExamineArgs]) time.Duration { return workMost }

// Work implements river.Worker.
func (w *examineWorker) Work(ctx context.Context, job *river.Job[jobs.ExamineArgs]) error {
	if job.Args.ExaminationID == nil {
		return w.examiner.askAll(ctx, river.ClientFromContext[pgx.Tx](ctx))
	}
	return w.examiner.Answer(ctx, *job.Args.ExaminationID, job.Args.Daemon)
}

// askAll asks all daemons for the cheap checks, and tells who did not answer the last time.
func (e *Examiner) askAll(ctx context.Context, client *river.Client[pgx.Tx]) error {
	q := dbsqlc.New()
	silent, err := q.ExaminedSilent(ctx, e.DB)
	if err != nil {
		return fmt.Errorf("look who did not answer: %w", err)
	}
	if err := q.FindingForget(ctx, e.DB, findingKept.Seconds()); err != nil {
		return fmt.Errorf("forget old findings: %w", err)
	}
	asking, err := (&Rows{e.DB, client}).Ask(ctx, automatic, "", Order{Cheap: true}, AnswerWithin)
	if err != nil {
		return err
	}
	late := map[string]time.Time{}
	for _, row := range silent {
		late[row.Daemon] = row.AskedAt
	}
	for _, d := range asking.Daemons {
		f := Well(DaemonSilent, "", "it answers")
		if asked, is := late[d.ID]; is {
			f = Wrong(Fail, DaemonSilent, "", "", "asked at %s, it did not answer", asked.UTC().Format(time.DateTime+"Z"))
		}
		f.Daemon = d.ID
		if err := Write(ctx, e.DB, d.ID, []Code{DaemonSilent, DaemonNone}, []Finding{f}); err != nil {
			return err
		}
	}
	return nil
}

// Answer looks, and writes what it found. Who comes too late does nothing.
func (e *Examiner) Answer(ctx context.Context, id uuid.UUID, daemon string) error {
	asked, err := dbsqlc.New().ExaminationGet(ctx, e.DB, id)
	if errors.Is(err, pgx.ErrNoRows) || err == nil && !asked.Open {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read examination %s: %w", id, err)
	}
	order := Order{Only: asked.Only, Cheap: asked.Cheap}
	checks := e.Host
	if daemon == Control {
		checks = e.Control
		if asked.Cheap { // a person's program looks itself
			checks = append(append([]Check{}, checks...), DatabaseChecks(e.DB)...)
		}
	}
	findings, looked := Run(ctx, daemon, order, checks...)
	err = db.InTx(ctx, e.DB, func(tx pgx.Tx) error {
		if err := write(ctx, tx, daemon, looked, findings); err != nil {
			return err
		}
		if daemon == Control && asked.Cheap {
			if err := write(ctx, tx, Database, looked, findings); err != nil {
				return err
			}
		}
		_, err := dbsqlc.New().ExaminedAnswer(ctx, tx, dbsqlc.ExaminedAnswerParams{ExaminationID: id, Daemon: daemon})
		return err
	})
	if err != nil {
		return fmt.Errorf("answer examination %s: %w", id, err)
	}
	return nil
}
