package control

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"golang.org/x/sync/errgroup"

	"weir/db/dbsqlc"
	"weir/jobs"
	"weir/secret"
	"weir/studio"
)

const (
	// statusEvery and statusAfter keep a sign of life under Studio's 30 s: at the
	// worst statusAfter + statusEvery pass between two.
	statusEvery = 5 * time.Second
	statusAfter = 15 * time.Second
	// statusTimeout bounds a round; what it did not reach is due again.
	statusTimeout = 60 * time.Second
	// statusPage and statusAtOnce bound what a round holds in memory and in flight.
	statusPage   = 500
	statusAtOnce = 32
)

type statusWorker struct {
	river.WorkerDefaults[jobs.StatusArgs]
	db     *pgxpool.Pool
	sealer *secret.Sealer
	studio *studio.Client
	log    *slog.Logger
}

// Timeout implements river.Worker.
func (w *statusWorker) Timeout(*river.Job[jobs.StatusArgs]) time.Duration { return statusTimeout }

// Work sends all statuses that are due.
func (w *statusWorker) Work(ctx context.Context, _ *river.Job[jobs.StatusArgs]) error {
	for {
		due, err := dbsqlc.New().TranscodeStatusDue(ctx, w.db, dbsqlc.TranscodeStatusDueParams{AfterSeconds: statusAfter.Seconds(), PageSize: statusPage})
		if err != nil {
			return fmt.Errorf("read the statuses due: %w", err)
		}
		group, groupCtx := errgroup.WithContext(ctx)
		group.SetLimit(statusAtOnce)
		for i := range due {
			group.Go(func() error { return w.send(groupCtx, &due[i]) })
		}
		if err := group.Wait(); err != nil {
			return err
		}
		if len(due) < statusPage {
			return nil
		}
	}
}

// send tells of one transcode, unless it has ended meanwhile: nothing may come
// behind the terminal callback.
func (w *statusWorker) send(ctx context.Context, t *dbsqlc.Transcode) error {
	q := dbsqlc.New()
	stage := ""
	if t.Attempt > 0 {
		a, err := q.AttemptGet(ctx, w.db, dbsqlc.AttemptGetParams{TranscodeID: t.ID, Number: t.Attempt})
		if err != nil {
			return fmt.Errorf("status of %s: %w", t.ID, err)
		}
		stage = a.Stage
	}
	url, err := jobs.SealedCallback.Open(w.sealer, t.ID, t.CallbackSealed)
	if err != nil {
		w.log.WarnContext(ctx, "status not sent", "transcode", t.ID, "error", err)
		return nil
	}
	body, err := jobs.ProgressBody(t, stage)
	if err != nil {
		return fmt.Errorf("status of %s: %w", t.ID, err)
	}
	open, err := q.TranscodeIsOpen(ctx, w.db, t.ID)
	if err != nil {
		return fmt.Errorf("status of %s: %w", t.ID, err)
	}
	if !open {
		return nil
	}
	result := w.studio.Deliver(ctx, studio.Delivery{URL: secret.Secret(url), Body: body})
	if result.Fate != studio.Delivered {
		w.log.DebugContext(ctx, "status not taken", "transcode", t.ID, "fate", result.Fate, "why", result.Err)
	}
	return nil
}
