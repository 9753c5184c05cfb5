package jobs

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"

	"weir/db"
	"weir/db/dbsqlc"
)

// The priorities of a transcode: 0 is the most urgent, 9 what may wait longest. Each class
// waits ten minutes longer than the one before it (weir.turn_of), so that none starves.
const (
	MostUrgent      = 0
	LeastUrgent     = 9
	DefaultPriority = 5
	// UrgentPriority and those before it may use the slots that stay for the urgent.
	UrgentPriority = 2
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
	if err := q.OutputExpect(ctx, d.Tx, dbsqlc.OutputExpectParams(begun)); err != nil {
		return nil, fmt.Errorf("expect the outputs of %d transcodes: %w", len(placed), err)
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

// wakeStep: rounds are scheduled for whole seconds, so that one serves all that wait for
// the same moment. It is little beside the waits between attempts.
const wakeStep = time.Second

// WakePlacement sees to it that a placement round comes that finds what the transaction
// commits: by a job, unless one waits. A round that is fetched before the commit does not
// see it; the lock tells that round to have another one follow ([PlaceArgs]).
func (d Decider) WakePlacement(ctx context.Context) error {
	q, on := dbsqlc.New(), &db.Pipeline{On: d.Tx}
	// Before the look, or a round could begin and end between the two: each statement sees
	// what is committed when it begins.
	if err := q.PlaceWakeHold(ctx, on); err != nil {
		return fmt.Errorf("wake the placement: %w", err)
	}
	waits, err := q.RiverJobPlaceWaits(ctx, on)
	if err != nil {
		return fmt.Errorf("wake the placement: %w", err)
	}
	if waits {
		return nil
	}
	return d.insertRound(ctx)
}

// insertRound inserts the job of a placement round.
func (d Decider) insertRound(ctx context.Context) error {
	if _, err := d.River.InsertTx(ctx, d.Tx, PlaceArgs{}, nil); err != nil {
		return fmt.Errorf("wake the placement: %w", err)
	}
	return nil
}

// TellOfRoom is WakePlacement where something is free again, and comes only where somebody
// waits for it. Whoever begins to wait meanwhile wakes a round that sees the lock, and so
// is followed by one that sees what is free.
func (d Decider) TellOfRoom(ctx context.Context) error {
	q, on := dbsqlc.New(), &db.Pipeline{On: d.Tx}
	if err := q.PlaceWakeHold(ctx, on); err != nil {
		return fmt.Errorf("tell of room: %w", err)
	}
	waits, err := q.TranscodeWaits(ctx, on)
	if err != nil {
		return fmt.Errorf("tell of room: %w", err)
	}
	if !waits {
		return nil
	}
	return d.WakePlacement(ctx)
}

// wakePlacementAt is WakePlacement for a time that is further off than the commit.
func (d Decider) wakePlacementAt(ctx context.Context, at time.Time) error {
	at = at.Add(wakeStep - 1).Truncate(wakeStep)
	comes, err := dbsqlc.New().RiverJobPlaceComes(ctx, d.Tx, at)
	if err != nil {
		return fmt.Errorf("wake the placement at %s: %w", at, err)
	}
	if comes {
		return nil
	}
	if _, err := d.River.InsertTx(ctx, d.Tx, PlaceArgs{}, &river.InsertOpts{ScheduledAt: at}); err != nil {
		return fmt.Errorf("wake the placement at %s: %w", at, err)
	}
	return nil
}
