package control

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"weir/db/dbsqlc"
	"weir/jobs"
	"weir/jobs/receivers"
	"weir/secret"
	"weir/studio"
)

const (
	// statusEvery and statusAfter keep a sign of life under Studio's 30 s: at the
	// worst statusAfter + statusEvery pass between two.
	statusEvery = 5 * time.Second
	statusAfter = 15 * time.Second
	// statusRead bounds the look for what is due.
	statusRead = 10 * time.Second
	// statusPage of one receiver's are read at once; what it did not reach is due still.
	statusPage = 1000
	// statusAtOnce are sent to one receiver at once, once it has answered.
	statusAtOnce = 32
	// statusReceivers are told at once; each that hangs holds one place for a delivery's time.
	statusReceivers = 256

	// statusTenant of them are one tenant's at the most, so that many that hang leave places.
	statusTenant = statusReceivers / 4

	// tellFor is how long a daemon has a transcode to itself to tell of it: longer than a
	// delivery takes (10 s). A claim of a dead one ends with it.
	tellFor = 15 * time.Second
)

// teller sends statuses. Every daemon that leads has one; rows decide who sends which.
type teller struct {
	control *Control
	lanes   errgroup.Group
	mu      sync.Mutex
	busy    map[string]bool // the receivers that have a lane, each behind its tenant's name
	of      map[string]int  // how many each tenant has
}

func newTeller(c *Control) *teller {
	t := &teller{control: c, busy: map[string]bool{}, of: map[string]int{}}
	t.lanes.SetLimit(statusReceivers)
	return t
}

// tellStatuses tells Studio of what has not ended, the queued too, until ctx ends:
// silence means lost to it. Each receiver has a lane of its own, so that one that hangs
// is in nobody's way.
func (c *Control) tellStatuses(ctx context.Context) {
	t := newTeller(c)
	defer func() { _ = t.lanes.Wait() }() // lanes return nil
	tick := time.NewTicker(statusEvery)
	defer tick.Stop()
	for {
		if err := t.round(ctx); err != nil && ctx.Err() == nil {
			c.Log.WarnContext(ctx, "statuses not sent", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// round opens a lane for each receiver that has none and is to hear something. It does
// not wait for them.
func (t *teller) round(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, statusRead)
	defer cancel()
	due, err := dbsqlc.New().TranscodeStatusDue(limited, t.control.DB, dbsqlc.TranscodeStatusDueParams{
		AfterSeconds: statusAfter.Seconds(), PageSize: statusPage, Busy: t.told(),
	})
	if err != nil {
		return fmt.Errorf("read the statuses due: %w", err)
	}
	of := map[string][]uuid.UUID{}
	for _, row := range due {
		of[row.Receiver] = append(of[row.Receiver], row.ID)
	}
	for receiver, ids := range of {
		if !t.mark(receiver) {
			continue // its tenant is told at as many places as it may be
		}
		if !t.lanes.TryGo(func() error {
			defer t.unmark(receiver)
			if err := t.lane(ctx, ids); err != nil && ctx.Err() == nil {
				t.control.Log.WarnContext(ctx, "statuses not sent", "receiver", receiver, "error", err)
			}
			return nil
		}) {
			t.unmark(receiver) // too many at once: its statuses are due still
		}
	}
	return nil
}

func (t *teller) mark(receiver string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	tenant, _, _ := strings.Cut(receiver, " ")
	if t.of[tenant] >= statusTenant {
		return false
	}
	t.busy[receiver] = true
	t.of[tenant]++
	return true
}

func (t *teller) unmark(receiver string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.busy, receiver)
	tenant, _, _ := strings.Cut(receiver, " ")
	if t.of[tenant]--; t.of[tenant] <= 0 {
		delete(t.of, tenant)
	}
}

func (t *teller) told() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	receivers := make([]string, 0, len(t.busy))
	for receiver := range t.busy {
		receivers = append(receivers, receiver)
	}
	return receivers
}

// lane sends one receiver's statuses: one, and if that is answered the others, until one
// is not. What is not sent stays due.
func (t *teller) lane(ctx context.Context, ids []uuid.UUID) error {
	answered, err := t.send(ctx, ids[0])
	if err != nil || !answered {
		return err
	}
	var silent atomic.Bool
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(statusAtOnce)
	for _, id := range ids[1:] {
		group.Go(func() error {
			if silent.Load() || groupCtx.Err() != nil {
				return groupCtx.Err()
			}
			answered, err := t.send(ctx, id)
			if !answered {
				silent.Store(true)
			}
			return err
		})
	}
	return group.Wait()
}

// send tells of one transcode, unless it has ended meanwhile: nothing may come behind
// the terminal callback, which waits for the claim. answered is false when the receiver
// said nothing.
func (t *teller) send(ctx context.Context, id uuid.UUID) (answered bool, err error) {
	c, q := t.control, dbsqlc.New()
	transcode, err := q.TranscodeClaim(ctx, c.DB, dbsqlc.TranscodeClaimParams{
		ID: id, TellSeconds: tellFor.Seconds(), AfterSeconds: statusAfter.Seconds(),
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("status of %s: %w", id, err)
	}
	missed, err := jobs.Missed(ctx, c.DB, transcode.Tenant)
	if err != nil {
		return false, fmt.Errorf("status of %s: %w", id, err)
	}
	delivery, err := t.delivery(ctx, &transcode, missed)
	if err != nil {
		c.Log.WarnContext(ctx, "status not sent", "transcode", id, "error", err)
		return true, t.end(ctx, &transcode, false, 0)
	}
	result := c.Studio.Deliver(ctx, delivery)
	if ctx.Err() != nil { // it may be on its way: the claim runs out by itself
		return false, fmt.Errorf("status of %s: %w", id, ctx.Err())
	}
	if result.Fate != studio.Delivered {
		c.Log.DebugContext(ctx, "status not taken", "transcode", id, "fate", result.Fate, "why", result.Err)
	}
	if len(missed) > 0 && result.Fate == studio.Delivered {
		if err := q.MissedEventTold(ctx, c.DB, missed); err != nil {
			return false, fmt.Errorf("status of %s: keep what it told: %w", id, err)
		}
	}
	refused := int32(0)
	if result.Fate == studio.Refused { // it said so for good: no more of this run
		refused = transcode.Run
	}
	answered = heardOf(result) == answer
	return answered, t.end(ctx, &transcode, answered, refused)
}

// end ends the claim on a transcode. refused is the run of which no more statuses are
// wanted; 0: none.
func (t *teller) end(ctx context.Context, transcode *dbsqlc.Transcode, heard bool, refused int32) error {
	if err := dbsqlc.New().TranscodeRelease(ctx, t.control.DB, dbsqlc.TranscodeReleaseParams{
		ID: transcode.ID, TellingUntil: *transcode.TellingUntil, Heard: heard, RefusedRun: refused,
	}); err != nil {
		return fmt.Errorf("status of %s: %w", transcode.ID, err)
	}
	return nil
}

func (t *teller) delivery(ctx context.Context, transcode *dbsqlc.Transcode, missed []uuid.UUID) (studio.Delivery, error) {
	stage := ""
	if transcode.Attempt > 0 {
		a, err := dbsqlc.New().AttemptGet(ctx, t.control.DB, dbsqlc.AttemptGetParams{TranscodeID: transcode.ID, Number: transcode.Attempt})
		if err != nil {
			return studio.Delivery{}, err
		}
		stage = a.Stage
	}
	url, err := jobs.SealedCallback.Open(t.control.Sealer, transcode.ID, transcode.CallbackSealed)
	if err != nil {
		return studio.Delivery{}, err
	}
	secrets := receivers.Secrets{DB: t.control.DB, Sealer: t.control.Sealer}
	signedBy, err := secrets.Of(ctx, transcode.ID, transcode.Tenant, transcode.CallbackSecretSealed)
	if err != nil {
		return studio.Delivery{}, err
	}
	body, err := jobs.ProgressBody(transcode, stage, missed)
	if err != nil {
		return studio.Delivery{}, err
	}
	return studio.Delivery{URL: secret.Secret(url), Body: body, Secrets: signedBy}, nil
}
