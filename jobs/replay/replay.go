// Package replay has triggers handled again that Mist posted before: by the host that has
// handled them first, whose rows, spool and Mist they are of.
package replay

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"weir/db"
	"weir/db/dbsqlc"
	"weir/jobs"
)

// What Ask answers with; test by errors.Is.
var (
	ErrNoEvent = errors.New("no such trigger")
	// ErrSenseless: it would change nothing, or what is past. The error says why.
	ErrSenseless = errors.New("there is no sense in handling it again")
)

// Changing are the triggers that change rows: what all others tell is only noted.
func Changing() []string { return []string{"LIVE_TRACK_LIST", "RECORDING_END"} }

// Ask has an event handled again by its host, soon. Handling one again is safe: what it says
// is written once, and fenced by its attempt.
func Ask(ctx context.Context, on db.Conn, client *river.Client[pgx.Tx], id int64) (event dbsqlc.MistEvent, err error) {
	err = db.InTx(ctx, on, func(tx pgx.Tx) error {
		event, err = dbsqlc.New().MistEventGet(ctx, tx, id)
		if errors.Is(err, pgx.ErrNoRows) {
			return ErrNoEvent
		}
		if err != nil {
			return err
		}
		if err := sense(ctx, tx, &event); err != nil {
			return err
		}
		_, err = client.InsertTx(ctx, tx, jobs.ReplayArgs{EventID: id}, &river.InsertOpts{Queue: jobs.StoreQueue(event.HostID)})
		return err
	})
	if err != nil {
		return event, fmt.Errorf("replay trigger %d: %w", id, err)
	}
	return event, nil
}

// sense says why there is none, nil where there is.
func sense(ctx context.Context, tx pgx.Tx, e *dbsqlc.MistEvent) error {
	none := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrSenseless, fmt.Sprintf(format, args...))
	}
	switch {
	case !slices.Contains(Changing(), e.Trigger):
		return none("%s changes no row, whatever it says", e.Trigger)
	case e.PayloadBytes > int64(len(e.Payload)):
		return none("only the first %d of its %d bytes are kept", len(e.Payload), e.PayloadBytes)
	case e.TranscodeID == nil || e.Attempt == nil:
		return none("it is of no transcode that we know")
	}
	q := dbsqlc.New()
	t, err := q.TranscodeGet(ctx, tx, *e.TranscodeID)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return none("its transcode %s is gone", *e.TranscodeID)
	case err != nil:
		return err
	case jobs.Terminal(t.State) || t.State == jobs.StateQueued:
		return none("transcode %s is %s", t.ID, t.State)
	case t.Attempt != *e.Attempt:
		return none("it is of attempt %d of transcode %s, and the newest is %d", *e.Attempt, t.ID, t.Attempt)
	}
	hosts, err := q.HostList(ctx, tx)
	if err != nil {
		return err
	}
	for i := range hosts {
		if h := &hosts[i]; h.Host.ID == e.HostID && h.Alive {
			return nil
		}
	}
	return none("its host %s is not there", e.HostID)
}
