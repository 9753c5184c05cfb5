package jobs

import (
	"context"
	"fmt"
	"time"

	"github.com/riverqueue/river"

	"weir/db/dbsqlc"
)

// wakeStep: rounds are scheduled for whole seconds, so that one serves all that wait for
// the same moment. It is little beside the waits between attempts.
const wakeStep = time.Second

// WakePlacement sees to it that a placement round comes that finds what the transaction
// commits: by a job, unless one waits. A round that is fetched before the commit does not
// see it; the lock tells that round to have another one follow ([PlaceArgs]).
func (d Decider) WakePlacement(ctx context.Context) error {
	q := dbsqlc.New()
	// Before the look, or a round could begin and end between the two.
	if err := q.PlaceWakeHold(ctx, d.Tx); err != nil {
		return fmt.Errorf("wake the placement: %w", err)
	}
	waits, err := q.RiverJobPlaceWaits(ctx, d.Tx)
	if err != nil {
		return fmt.Errorf("wake the placement: %w", err)
	}
	if waits {
		return nil
	}
	if _, err := d.River.InsertTx(ctx, d.Tx, PlaceArgs{}, nil); err != nil {
		return fmt.Errorf("wake the placement: %w", err)
	}
	return nil
}

// TellOfRoom is WakePlacement where something is free again, and comes only where somebody
// waits for it. Whoever begins to wait meanwhile wakes a round that sees the lock, and so
// is followed by one that sees what is free.
func (d Decider) TellOfRoom(ctx context.Context) error {
	q := dbsqlc.New()
	if err := q.PlaceWakeHold(ctx, d.Tx); err != nil {
		return fmt.Errorf("tell of room: %w", err)
	}
	waits, err := q.TranscodeWaits(ctx, d.Tx)
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
