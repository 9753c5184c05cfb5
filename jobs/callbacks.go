package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"weir/db"
	"weir/db/dbsqlc"
)

// What the operations on callbacks answer with; test by errors.Is.
var (
	ErrNoCallback = errors.New("no such callback")
	// ErrNotEnded: its callback comes with its end.
	ErrNotEnded = errors.New("the transcode has not ended, so that there is no callback of it yet")
	// ErrSuperseded: Studio is told of the newer run alone.
	ErrSuperseded = errors.New("the transcode was retried since: only its newest run's callback can be sent")
)

// Callbacks are the operators' operations on terminal callbacks.
type Callbacks struct {
	DB    db.Conn
	River *river.Client[pgx.Tx]
}

// Whose narrows a list of what belongs to transcodes to those of some: of each field any of
// its values, of all fields all; nil ones do not. Labels are JSON objects.
type Whose struct {
	Tenants, States, Codes, HostIDs, ExternalIDs, Broadcasters []string
	Destinations, CallbackStates, Labels                       []string
	CreatedFrom, CreatedTo, EndedFrom, EndedTo                 *time.Time
}

// CallbackFilter narrows a list; nil fields do not. Its destinations and the states of
// callbacks are those of each callback itself, and not of its transcode's newest.
type CallbackFilter struct {
	Whose

	TranscodeID *uuid.UUID
	Limit       int32
}

// List reads callbacks, newest first.
func (cs *Callbacks) List(ctx context.Context, f CallbackFilter) ([]dbsqlc.CallbackView, error) {
	list, err := dbsqlc.New().CallbackViewList(ctx, db.Replanned{On: cs.DB}, dbsqlc.CallbackViewListParams{
		Tenants: f.Tenants, CallbackStates: f.CallbackStates, TranscodeID: f.TranscodeID, Destinations: f.Destinations, States: f.States, Codes: f.Codes,
		Hosts: f.HostIDs, ExternalIds: f.ExternalIDs, Broadcasters: f.Broadcasters, Labels: f.Labels,
		CreatedFrom: f.CreatedFrom, CreatedTo: f.CreatedTo, EndedFrom: f.EndedFrom, EndedTo: f.EndedTo, PageSize: f.Limit,
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
	if err := db.InTx(ctx, cs.DB, func(tx pgx.Tx) error { return cs.sendNow(ctx, tx, id) }); err != nil {
		return fmt.Errorf("redeliver %s: %w", id, err)
	}
	return nil
}

// RedeliverOf has the callback of a transcode's run sent again, to its tenant's wish;
// tenant "" is any. Asked twice it is sent once, until it was. ErrNotEnded: there is none
// yet.
func (cs *Callbacks) RedeliverOf(ctx context.Context, tenant string, transcode uuid.UUID) error {
	err := db.InTx(ctx, cs.DB, func(tx pgx.Tx) error { return cs.RedeliverTx(ctx, tx, tenant, transcode) })
	if err != nil {
		return fmt.Errorf("redeliver the callback of %s: %w", transcode, err)
	}
	return nil
}

// RedeliverTx is RedeliverOf within a transaction.
func (cs *Callbacks) RedeliverTx(ctx context.Context, tx pgx.Tx, tenant string, transcode uuid.UUID) error {
	q := dbsqlc.New()
	t, err := q.TranscodeGetForUpdate(ctx, tx, transcode)
	switch {
	case errors.Is(err, pgx.ErrNoRows) || err == nil && tenant != "" && t.Tenant != tenant:
		return ErrNotFound
	case err != nil:
		return err
	}
	callbacks, err := q.CallbackListOf(ctx, tx, []uuid.UUID{transcode})
	if err != nil {
		return err
	}
	if len(callbacks) == 0 {
		return fmt.Errorf("%w: it is %s", ErrNotEnded, t.State)
	}
	return cs.sendNow(ctx, tx, callbacks[0].ID)
}

// sendNow has a callback sent at once: by the job that is to do it later anyway, where
// there is one, so that asking often leaves one job.
func (cs *Callbacks) sendNow(ctx context.Context, tx pgx.Tx, id uuid.UUID) error {
	args, err := json.Marshal(CallbackArgs{CallbackID: id})
	if err != nil {
		return err
	}
	open, err := dbsqlc.New().RiverJobOpenOfCallback(ctx, tx, args)
	switch {
	case err != nil:
		return err
	case len(open) == 0:
		_, err = cs.River.InsertTx(ctx, tx, CallbackArgs{CallbackID: id, Redelivery: true}, nil)
	case !open[0].Running:
		_, err = cs.River.JobRetryTx(ctx, tx, open[0].ID)
	}
	return err
}
