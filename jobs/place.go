package jobs

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"
	"github.com/riverqueue/river"

	"weir/db/dbsqlc"
)

// Placement is a queued transcode and the host that it is given to.
type Placement struct {
	Transcode uuid.UUID
	Host      string
}

// Place begins the next attempt of each: its host, what it has to make, and its job.
// It takes as many statements for many as for one. What it returns are those that were
// queued still, with their new attempts.
func (d Decider) Place(ctx context.Context, placements ...Placement) ([]dbsqlc.TranscodePlaceRow, error) {
	q := dbsqlc.New()
	var wanted dbsqlc.TranscodePlaceParams
	for _, p := range placements {
		wanted.Ids, wanted.HostIds = append(wanted.Ids, p.Transcode), append(wanted.HostIds, p.Host)
	}
	placed, err := q.TranscodePlace(ctx, d.Tx, wanted)
	if err != nil {
		return nil, fmt.Errorf("place %d transcodes: %w", len(placements), err)
	}
	if len(placed) == 0 {
		return nil, nil
	}
	var begun dbsqlc.RenditionExpectParams
	attempts := map[TranscodeArgs]string{}
	inserts := make([]river.InsertManyParams, len(placed))
	for i, t := range placed {
		args := TranscodeArgs{TranscodeID: t.ID, Attempt: t.Attempt}
		attempts[args] = t.HostID
		inserts[i] = river.InsertManyParams{Args: args, InsertOpts: &river.InsertOpts{Queue: HostQueue(t.HostID)}}
		begun.TranscodeIds, begun.Attempts = append(begun.TranscodeIds, t.ID), append(begun.Attempts, t.Attempt)
	}
	if err := q.RenditionExpect(ctx, d.Tx, begun); err != nil {
		return nil, fmt.Errorf("expect the renditions of %d transcodes: %w", len(placed), err)
	}
	inserted, err := d.River.InsertManyTx(ctx, d.Tx, inserts)
	if err != nil {
		return nil, fmt.Errorf("insert the jobs of %d transcodes: %w", len(placed), err)
	}
	var rows dbsqlc.AttemptInsertParams
	for _, result := range inserted { // in no order that River promises
		var args TranscodeArgs
		if err := json.Unmarshal(result.Job.EncodedArgs, &args); err != nil {
			return nil, fmt.Errorf("read arguments of job %d: %w", result.Job.ID, err)
		}
		rows.TranscodeIds, rows.Numbers = append(rows.TranscodeIds, args.TranscodeID), append(rows.Numbers, args.Attempt)
		rows.HostIds, rows.JobIds = append(rows.HostIds, attempts[args]), append(rows.JobIds, result.Job.ID)
	}
	if err := q.AttemptInsert(ctx, d.Tx, rows); err != nil {
		return nil, fmt.Errorf("insert the attempts of %d transcodes: %w", len(placed), err)
	}
	return placed, nil
}
