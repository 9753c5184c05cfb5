package jobs

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river/rivertype"

	"weir/db/dbsqlc"
)

// Lose takes a transcode from a dead host: it ends the attempt as lost and its jobs with
// it, and queues the next one. What is ok stays; what lies on the dead host's spool is
// done again. taken is false where there is nothing to take now: it has moved on, the host
// has come back, or another holds the transcode's lock, who may have vanished with it.
func (d Decider) Lose(ctx context.Context, id uuid.UUID, host string) (taken bool, err error) {
	q := dbsqlc.New()
	t, err := q.TranscodeGetUnlocked(ctx, d.Tx, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if t.HostID == nil || *t.HostID != host || Terminal(t.State) || t.State == StateQueued {
		return false, nil
	}
	if _, err := q.HostGetDead(ctx, d.Tx, host); errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	if err := d.endJobs(ctx, &t, host); err != nil {
		return false, err
	}
	stage, err := d.stageOf(ctx, &t)
	if err != nil {
		return false, err
	}
	return true, d.lost(ctx, &t, Failed(CodeHostLost, stage, "the lease of host "+host+" has ended"))
}

// TakeBack takes a placed transcode from a host that did not begin it in
// [TakeUpPatience]: a queue that somebody paused holds its jobs for ever. taken is false
// where it has begun, or moved on.
func (d Decider) TakeBack(ctx context.Context, id uuid.UUID) (taken bool, err error) {
	t, err := dbsqlc.New().TranscodeGetUnlocked(ctx, d.Tx, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if t.State != StatePlaced || t.HostID == nil {
		return false, nil
	}
	if err := d.endJobs(ctx, &t, *t.HostID); err != nil {
		return false, err
	}
	f := Failed(CodeNotTakenUp, StageFetch, "host "+*t.HostID+" did not begin in "+TakeUpPatience.String())
	return true, d.lost(ctx, &t, f)
}

// lost decides what follows for a transcode that was taken from its host: it is tried
// again while there is time.
func (d Decider) lost(ctx context.Context, t *dbsqlc.Transcode, f *Failure) error {
	q := dbsqlc.New()
	renditions, err := q.RenditionList(ctx, d.Tx, t.ID)
	if err != nil {
		return err
	}
	if allOK(renditions) && !t.Packages { // else another host packages what is stored
		// Stores of an attempt before this one came through; its host did not come to say so.
		if _, err := q.TranscodeStart(ctx, d.Tx, dbsqlc.TranscodeStartParams{ID: t.ID, Attempt: t.Attempt}); err != nil {
			return err
		}
		return d.Settle(ctx, t.ID, t.Attempt)
	}
	age, err := d.runAge(ctx, t.ID)
	if err != nil {
		return err
	}
	follows := outcomeOf(t, f, age)
	if follows.state == StateFailed {
		if err := dbsqlc.New().RenditionFailOpen(ctx, d.Tx, dbsqlc.RenditionFailOpenParams{
			TranscodeID: t.ID, ErrorCode: f.Code, ErrorStage: string(f.Stage), ErrorMessage: f.Text, ErrorDetail: f.Detail,
		}); err != nil {
			return err
		}
		return d.fail(ctx, t, f)
	}
	if err := d.endAttempt(ctx, t, OutcomeLost, f); err != nil {
		return err
	}
	return d.requeue(ctx, t, follows)
}

// endJobs ends the jobs of a lost attempt. Those that the dead host was running are
// ended by hand: River would wait for its answer.
func (d Decider) endJobs(ctx context.Context, t *dbsqlc.Transcode, host string) error {
	renditions, err := dbsqlc.New().RenditionList(ctx, d.Tx, t.ID)
	if err != nil {
		return err
	}
	ids, err := d.openJobs(ctx, t, renditions)
	if err != nil {
		return err
	}
	for _, id := range ids {
		ended, err := dbsqlc.New().RiverJobFinalize(ctx, d.Tx, dbsqlc.RiverJobFinalizeParams{ID: id, HostID: host})
		if err != nil {
			return fmt.Errorf("end job %d: %w", id, err)
		}
		if ended == 1 {
			continue
		}
		if _, err := d.River.JobCancelTx(ctx, d.Tx, id); err != nil && !errors.Is(err, rivertype.ErrNotFound) {
			return fmt.Errorf("cancel job %d: %w", id, err)
		}
	}
	return nil
}
