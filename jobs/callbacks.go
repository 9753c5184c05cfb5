package jobs

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"

	"weir/db"
	"weir/db/dbsqlc"
)

// What the operations on callbacks answer with; test by errors.Is.
var (
	ErrNoCallback = errors.New("no such callback")
	// ErrSuperseded: Studio is told of the newer run alone.
	ErrSuperseded = errors.New("the transcode was retried since: only its newest run's callback can be sent")
)

// Callbacks are the operators' operations on terminal callbacks.
type Callbacks struct {
	DB    *pgxpool.Pool
	River *river.Client[pgx.Tx]
}

// CallbackFilter narrows a list; nil fields do not.
type CallbackFilter struct {
	Tenant, State *string
	TranscodeID   *uuid.UUID
	Limit         int32
}

// List reads callbacks, newest first.
func (cs *Callbacks) List(ctx context.Context, f CallbackFilter) ([]dbsqlc.CallbackView, error) {
	list, err := dbsqlc.New().CallbackViewList(ctx, db.Replanned{On: cs.DB}, dbsqlc.CallbackViewListParams{
		Tenant: f.Tenant, State: f.State, TranscodeID: f.TranscodeID, PageSize: f.Limit,
	})
	if err != nil {
		return nil, fmt.Errorf("list callbacks: %w", err)
	}
	return list, nil
}

// Redeliver has a callback sent again, byte for byte and under its event id, in
// whatever state it is. It touches nothing else. One of an older run than the
// transcode's is ErrSuperseded.
func (cs *Callbacks) Redeliver(ctx context.Context, id uuid.UUID) error {
	_, err := dbsqlc.New().CallbackGet(ctx, cs.DB, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("redeliver %s: %w", id, ErrNoCallback)
	}
	if err != nil {
		return fmt.Errorf("redeliver %s: %w", id, err)
	}
	due, err := dbsqlc.New().CallbackIsDue(ctx, cs.DB, dbsqlc.CallbackIsDueParams{ID: id, Redelivery: true})
	if err != nil {
		return fmt.Errorf("redeliver %s: %w", id, err)
	}
	if !due {
		return fmt.Errorf("redeliver %s: %w", id, ErrSuperseded)
	}
	if _, err := cs.River.Insert(ctx, CallbackArgs{CallbackID: id, Redelivery: true}, nil); err != nil {
		return fmt.Errorf("redeliver %s: %w", id, err)
	}
	return nil
}
