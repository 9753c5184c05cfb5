package control

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"weir/db/dbsqlc"
	"weir/jobs"
	"weir/secret"
	"weir/studio"
)

// statusLane sends one receiver's statuses: one, and if that is answered the others, until one
// is not. What is not sent stays due. Statuses are many and small: they are claimed by the
// handful, no more than can be sent at once, and the claims that have done are ended together.
type statusLane struct {
	*teller
	ends ends
}

// claimed is a transcode to be told of, and what its tenant's have in common.
type claimed struct {
	dbsqlc.Transcode
	missed []uuid.UUID
	// secrets are the tenant's; unsigned: why there are none.
	secrets  []secret.Secret
	unsigned error
}

// run sends all of ids, which are one receiver's and one tenant's.
func (l *statusLane) run(ctx context.Context, ids []uuid.UUID) error {
	for answered := false; !answered; ids = ids[1:] {
		if len(ids) == 0 {
			return nil
		}
		first, err := l.claim(ctx, ids[:1])
		if err != nil {
			return err
		}
		for i := range first {
			heard, err := l.send(ctx, &first[i], func() {})
			if err != nil || !heard {
				return err
			}
			answered = true
		}
	}
	var silent atomic.Bool
	group, groupCtx := errgroup.WithContext(ctx)
	free := semaphore.NewWeighted(statusAtOnce)
	pace := time.NewTicker(statusPace)
	defer pace.Stop()
	for some := range slices.Chunk(ids, statusClaim) {
		if silent.Load() || free.Acquire(groupCtx, int64(len(some))) != nil {
			break
		}
		many, err := l.claim(groupCtx, some)
		free.Release(int64(len(some) - len(many)))
		if err != nil {
			group.Go(func() error { return err })
			break
		}
		for i := range many {
			group.Go(func() error {
				answered, err := l.send(groupCtx, &many[i], func() { free.Release(1) })
				if !answered {
					silent.Store(true)
				}
				return err
			})
			select { // one by one: a handful at once would have requests wait for it
			case <-pace.C:
			case <-groupCtx.Done():
			}
		}
	}
	return group.Wait()
}

// claim takes those that are still to be told of for this daemon alone, in their turn among
// all receivers'.
func (l *statusLane) claim(ctx context.Context, ids []uuid.UUID) ([]claimed, error) {
	if err := l.rate.WaitN(ctx, len(ids)); err != nil {
		return nil, fmt.Errorf("wait to tell of %s and %d more: %w", ids[0], len(ids)-1, err)
	}
	list, err := dbsqlc.New().TranscodeClaim(ctx, l.control.DB, dbsqlc.TranscodeClaimParams{
		Ids: ids, TellSeconds: tellFor.Seconds(), AfterSeconds: statusAfter.Seconds(),
	})
	if err != nil {
		return nil, fmt.Errorf("claim the statuses of %s and %d more: %w", ids[0], len(ids)-1, err)
	}
	if len(list) == 0 {
		return nil, nil
	}
	tenant := list[0].Tenant
	missed, err := jobs.Missed(ctx, l.control.DB, tenant)
	if err != nil {
		return nil, fmt.Errorf("status of %s: %w", list[0].ID, err)
	}
	secrets, unsigned := l.secrets().Of(ctx, list[0].ID, tenant, nil)
	all := make([]claimed, len(list))
	for i := range list {
		all[i] = claimed{list[i], missed, secrets, unsigned}
	}
	return all, nil
}

// send tells of one transcode that is claimed: nothing may come behind the terminal
// callback, which waits for the claim. answered is false when the receiver said nothing.
// sent is called once it is over with the receiver.
func (l *statusLane) send(ctx context.Context, of *claimed, sent func()) (answered bool, err error) {
	c, q, id := l.control, dbsqlc.New(), of.ID
	defer func() { sent() }()
	delivery, err := l.delivery(ctx, of)
	if err != nil {
		c.Log.WarnContext(ctx, "status not sent", "transcode", id, "error", err)
		return true, l.end(ctx, of, false, 0)
	}
	result := c.Studio.Deliver(ctx, delivery)
	if ctx.Err() != nil { // it may be on its way: the claim runs out by itself
		return false, fmt.Errorf("status of %s: %w", id, ctx.Err())
	}
	sent()
	sent = func() {}
	if result.Fate != studio.Delivered {
		c.Log.DebugContext(ctx, "status not taken", "transcode", id, "fate", result.Fate, "why", result.Err)
	}
	if len(of.missed) > 0 && result.Fate == studio.Delivered {
		if err := q.MissedEventTold(ctx, c.DB, of.missed); err != nil {
			return false, fmt.Errorf("status of %s: keep what it told: %w", id, err)
		}
	}
	refused := int32(0)
	if result.Fate == studio.Refused { // it said so for good: no more of this run
		refused = of.Run
	}
	answered = heardOf(result) == answer
	return answered, l.end(ctx, of, answered, refused)
}

// delivery is a status, signed by its tenant's secrets where it has none of its own.
func (l *statusLane) delivery(ctx context.Context, of *claimed) (studio.Delivery, error) {
	stage := ""
	if of.Attempt > 0 {
		a, err := dbsqlc.New().AttemptGet(ctx, l.control.DB, dbsqlc.AttemptGetParams{TranscodeID: of.ID, Number: of.Attempt})
		if err != nil {
			return studio.Delivery{}, err
		}
		stage = a.Stage
	}
	url, err := jobs.SealedCallback.Open(l.control.Sealer, of.ID, of.CallbackSealed)
	if err != nil {
		return studio.Delivery{}, err
	}
	signedBy, err := of.secrets, of.unsigned
	if of.CallbackSecretSealed != nil {
		signedBy, err = l.secrets().Of(ctx, of.ID, of.Tenant, of.CallbackSecretSealed)
	}
	if err != nil {
		return studio.Delivery{}, err
	}
	body, err := jobs.ProgressBody(&of.Transcode, stage, of.missed)
	if err != nil {
		return studio.Delivery{}, err
	}
	return studio.Delivery{URL: secret.Secret(url), Body: body, Secrets: signedBy}, nil
}

// end ends the claim on a transcode. refused is the run of which no more statuses are
// wanted; 0: none.
func (l *statusLane) end(ctx context.Context, of *claimed, heard bool, refused int32) error {
	return l.ends.add(ctx, l.control.DB, dbsqlc.TranscodeReleaseParams{
		ID: of.ID, TellingUntil: *of.TellingUntil, Heard: heard, RefusedRun: refused,
	})
}

// ends are claims that have done. One caller ends all that come within endsWithin and while it
// does, so that there are few transactions.
type ends struct {
	mu    sync.Mutex
	under bool // somebody ends some
	list  []dbsqlc.TranscodeReleaseParams
}

// add has a claim ended, by this caller or by the one who is at it. That one has the error.
func (e *ends) add(ctx context.Context, on dbsqlc.DBTX, end dbsqlc.TranscodeReleaseParams) error {
	e.mu.Lock()
	e.list = append(e.list, end)
	if e.under {
		e.mu.Unlock()
		return nil
	}
	e.under = true
	e.mu.Unlock()
	select {
	case <-time.After(endsWithin):
	case <-ctx.Done():
	}
	e.mu.Lock()
	for {
		some := e.list
		if e.list = nil; len(some) == 0 {
			e.under = false
			e.mu.Unlock()
			return nil
		}
		e.mu.Unlock()
		err := release(ctx, on, some)
		e.mu.Lock()
		if err != nil {
			e.under = false
			e.mu.Unlock()
			return err
		}
	}
}

// release ends claims. Those that somebody is at are waited for one by one, with nothing
// else in hand.
func release(ctx context.Context, on dbsqlc.DBTX, some []dbsqlc.TranscodeReleaseParams) error {
	q := dbsqlc.New()
	var all dbsqlc.TranscodeReleaseManyParams
	for _, end := range some {
		all.Ids, all.Untils = append(all.Ids, end.ID), append(all.Untils, end.TellingUntil)
		all.Heard, all.RefusedRuns = append(all.Heard, end.Heard), append(all.RefusedRuns, end.RefusedRun)
	}
	ended, err := q.TranscodeReleaseMany(ctx, on, all)
	if err != nil {
		return fmt.Errorf("end the statuses of %s and %d more: %w", some[0].ID, len(some)-1, err)
	}
	for _, end := range some {
		if slices.Contains(ended, end.ID) {
			continue
		}
		if err := q.TranscodeRelease(ctx, on, end); err != nil {
			return fmt.Errorf("status of %s: %w", end.ID, err)
		}
	}
	return nil
}
