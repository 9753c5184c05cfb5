package jobs

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/riverqueue/river"

	"weir/db/dbsqlc"
)

// Place gives a queued transcode to a host: the next attempt, what it has to make, and
// its job.
func (d Decider) Place(ctx context.Context, id uuid.UUID, host string) error {
	q := dbsqlc.New()
	t, err := q.TranscodePlace(ctx, d.Tx, dbsqlc.TranscodePlaceParams{ID: id, HostID: &host})
	if err != nil {
		return fmt.Errorf("place %s on %s: %w", id, host, err)
	}
	if err := q.RenditionExpect(ctx, d.Tx, dbsqlc.RenditionExpectParams{TranscodeID: t.ID, Attempt: t.Attempt}); err != nil {
		return fmt.Errorf("place %s: expect renditions: %w", t.ID, err)
	}
	job, err := d.River.InsertTx(ctx, d.Tx, TranscodeArgs{TranscodeID: t.ID, Attempt: t.Attempt}, &river.InsertOpts{Queue: HostQueue(host)})
	if err != nil {
		return fmt.Errorf("place %s on %s: %w", t.ID, host, err)
	}
	if err := q.AttemptInsert(ctx, d.Tx, dbsqlc.AttemptInsertParams{
		TranscodeID: t.ID, Number: t.Attempt, HostID: host, JobID: &job.Job.ID,
	}); err != nil {
		return fmt.Errorf("place %s on %s: %w", t.ID, host, err)
	}
	return nil
}
