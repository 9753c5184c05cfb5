package control

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"weir/db"
	"weir/db/dbsqlc"
	"weir/jobs"
	"weir/jobs/receivers"
	"weir/jobs/retention"
	"weir/secret"
	"weir/studio"
)

const (
	// outboxEvery is how late an event may be told while others are, and outboxIdle the
	// first one behind a silence: every daemon that leads asks so often, also where nobody
	// has subscribed.
	outboxEvery, outboxIdle = time.Second, 10 * time.Second
	// outboxAtOnce are sent to one receiver of a tenant at once, once it has answered.
	outboxAtOnce = 8
	// outboxLanes bound how many receivers are told at once: in all, those of one tenant, so
	// that a hundred that hang leave lanes for others', and the tenants of one receiver.
	outboxLanes, outboxTenantLanes, outboxReceiverLanes = 128, 16, 4
	// outboxMost of a tenant's wait: an hour of a busy one's events, and a second's work to
	// look through. Who does not take them loses the oldest.
	outboxMost = 10_000
	// outboxDropEvery is how late they may be dropped.
	outboxDropEvery = time.Minute
	// outboxTurns is how often a way goes on before it gives way.
	outboxTurns = 32
)

// outbox tells subscribers of events. Every daemon that leads has one; rows decide who
// sends which.
type outbox struct {
	control *Control
	lanes   errgroup.Group
	mu      sync.Mutex
	busy    map[way]bool
	due     bool // whether the last round found any
	most    int32
	dropped time.Time // when it was last looked whether too many wait
}

// way is a receiver of a tenant's: nothing of it is in another's way.
type way struct{ tenant, receiver string }

func newOutbox(c *Control) *outbox {
	o := &outbox{control: c, busy: map[way]bool{}, most: outboxMost}
	o.lanes.SetLimit(outboxLanes)
	return o
}

// tellEvents sends what is in the outbox until ctx ends.
func (c *Control) tellEvents(ctx context.Context) {
	o := newOutbox(c)
	defer func() { _ = o.lanes.Wait() }() // lanes return nil
	tick := time.NewTimer(outboxIdle)
	defer tick.Stop()
	for {
		if err := o.round(ctx); err != nil && ctx.Err() == nil {
			c.Log.WarnContext(ctx, "events not sent", "error", err)
		}
		if time.Since(o.dropped) >= outboxDropEvery {
			if err := o.drop(ctx); err != nil && ctx.Err() == nil {
				c.Log.WarnContext(ctx, "events that nobody takes not dropped", "error", err)
			}
		}
		if o.due {
			tick.Reset(outboxEvery)
		} else {
			tick.Reset(outboxIdle)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// drop lets expire what waits beyond a tenant's most, the oldest first. They are told as
// missed, as all are that expire.
func (o *outbox) drop(ctx context.Context) error {
	o.dropped = time.Now()
	dropped, err := retention.Batches(ctx, func(ctx context.Context) (int64, error) {
		return dbsqlc.New().EventDeliveryDrop(ctx, o.control.DB, dbsqlc.EventDeliveryDropParams{Most: o.most, PageSize: retention.Batch})
	})
	if dropped > 0 {
		o.control.Log.WarnContext(ctx, "events dropped that nobody takes", "events", dropped)
	}
	if err != nil {
		return fmt.Errorf("drop events: %w", err)
	}
	return nil
}

// round opens a way for each receiver that has none and is to hear something. It does not
// wait for them.
func (o *outbox) round(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, statusRead)
	defer cancel()
	due, err := dbsqlc.New().EventDeliveryLanes(limited, o.control.DB)
	if err != nil {
		return fmt.Errorf("read the events due: %w", err)
	}
	o.due = len(due) > 0
	// In another order each time: none is the last always where there are too many.
	rand.Shuffle(len(due), func(i, j int) { due[i], due[j] = due[j], due[i] })
	for _, row := range due {
		to := way{row.Tenant, row.Receiver}
		if !o.open(to) {
			continue
		}
		if !o.lanes.TryGo(func() error {
			defer o.close(to)
			if err := o.work(ctx, to); err != nil && ctx.Err() == nil {
				o.control.Log.WarnContext(ctx, "events not sent", "tenant", to.tenant, "receiver", to.receiver, "error", err)
			}
			return nil
		}) {
			o.close(to) // too many at once: they are due still
		}
	}
	return nil
}

// open marks a way as busy, unless it is, or its tenant or its receiver has enough.
func (o *outbox) open(to way) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	tenants, receivers := 0, 0
	for other := range o.busy {
		if other.tenant == to.tenant {
			tenants++
		}
		if other.receiver == to.receiver {
			receivers++
		}
	}
	if o.busy[to] || tenants >= outboxTenantLanes || receivers >= outboxReceiverLanes {
		return false
	}
	o.busy[to] = true
	return true
}

func (o *outbox) close(to way) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.busy, to)
}

// work sends what is due on a way: one, and while that is answered the others, some at
// once. What is not sent stays due.
func (o *outbox) work(ctx context.Context, to way) error {
	page := int32(1)
	for range outboxTurns {
		claimed, err := dbsqlc.New().EventDeliveryClaim(ctx, o.control.DB, dbsqlc.EventDeliveryClaimParams{
			Tenant: to.tenant, Receiver: to.receiver, TellSeconds: tellFor.Seconds(), PageSize: page,
		})
		if err != nil || len(claimed) == 0 {
			return err
		}
		silent := make([]bool, len(claimed))
		group, groupCtx := errgroup.WithContext(ctx)
		for i := range claimed {
			group.Go(func() (err error) {
				silent[i], err = o.send(groupCtx, &claimed[i])
				return err
			})
		}
		if err := group.Wait(); err != nil {
			return err
		}
		for _, each := range silent {
			if each {
				return nil
			}
		}
		page = outboxAtOnce
	}
	return nil
}

// send makes one attempt and records it. silent: no answer came.
func (o *outbox) send(ctx context.Context, d *dbsqlc.EventDelivery) (silent bool, err error) {
	c := o.control
	delivery, err := o.delivery(ctx, d)
	var result studio.Result
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		result = studio.Result{Fate: studio.Refused, Err: "its transcode is kept no more"}
	case err != nil && jobs.FailureOf(err, jobs.StageQueue).Code == jobs.CodeSecretUnreadable:
		// Mended by the right key, which a person has to give.
		result = studio.Result{Fate: studio.Retry, Err: jobs.FailureOf(err, jobs.StageQueue).Text}
	case err != nil:
		return false, fmt.Errorf("event delivery %s: %w", d.ID, err)
	default:
		result = c.Studio.Deliver(ctx, delivery)
		silent = heardOf(result) == silence
	}
	if ctx.Err() != nil { // it may be on its way: it is due again in a moment
		return false, fmt.Errorf("event delivery %s: %w", d.ID, ctx.Err())
	}
	if err := o.record(ctx, d, result); err != nil {
		return false, fmt.Errorf("record event delivery %s: %w", d.ID, err)
	}
	return silent, nil
}

func (o *outbox) delivery(ctx context.Context, d *dbsqlc.EventDelivery) (studio.Delivery, error) {
	c := o.control
	content, err := dbsqlc.New().EventDeliveryContent(ctx, c.DB, d.EventID)
	if err != nil {
		return studio.Delivery{}, err
	}
	column, sealed := jobs.SealedCallback, content.CallbackSealed
	if content.EventsSealed != nil {
		column, sealed = jobs.SealedEvents, content.EventsSealed
	}
	url, err := column.Open(c.Sealer, d.TranscodeID, sealed)
	if err != nil {
		return studio.Delivery{}, err
	}
	secrets := receivers.Secrets{DB: c.DB, Sealer: c.Sealer}
	signedBy, err := secrets.Of(ctx, d.TranscodeID, d.Tenant, content.CallbackSecretSealed)
	if err != nil {
		return studio.Delivery{}, err
	}
	body, err := receivers.EventBody(d.ID, &content)
	if err != nil {
		return studio.Delivery{}, err
	}
	return studio.Delivery{URL: secret.Secret(url), Body: body, EventID: d.ID.String(), Attempt: int(d.Attempts) + 1, Secrets: signedBy}, nil
}

// record keeps what came of an attempt: like a callback's, but that nothing supersedes it.
func (o *outbox) record(ctx context.Context, d *dbsqlc.EventDelivery, result studio.Result) error {
	then := nextDelivery(&dbsqlc.Callback{State: d.State, Attempts: d.Attempts}, d.CreatedAt, result, time.Now())
	var status *int32
	if result.Status != nil {
		status = new(int32(*result.Status))
	}
	return db.InTx(ctx, o.control.DB, func(tx pgx.Tx) error {
		q := dbsqlc.New()
		number, err := q.EventDeliveryRecord(ctx, tx, dbsqlc.EventDeliveryRecordParams{
			ID: d.ID, State: then.state, LastStatus: status, LastError: result.Err, WaitSeconds: then.wait.Seconds(),
		})
		if errors.Is(err, pgx.ErrNoRows) {
			return nil // somebody else has, when this took too long
		}
		if err != nil {
			return err
		}
		return q.EventDeliveryAttemptInsert(ctx, tx, dbsqlc.EventDeliveryAttemptInsertParams{
			DeliveryID: d.ID, Number: number, Status: status, LatencyMs: int32(result.Latency.Milliseconds()), Error: result.Err, Answer: result.Answer,
		})
	})
}
