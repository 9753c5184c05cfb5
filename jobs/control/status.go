package control

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"weir/db/dbsqlc"
	"weir/jobs/receivers"
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

	// statusClaim of one receiver's are claimed by one statement, and sent one after the other.
	statusClaim = 16
	// statusPace spreads a receiver's statuses over most of the time to the next look, that
	// many of them leave requests their time.
	statusPace = 4 * time.Second / statusPage
	// endsWithin is how long claims that have done wait for others: a callback waits for the claim.
	endsWithin = 30 * time.Millisecond
	// statusRate of them a second are told to all receivers together, as each has a pace of its
	// own and they may be hundreds: more would leave a machine of two cores no time for
	// requests. What is not reached is due still, and longer than what is due next.
	statusRate = 500

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
	rate    *rate.Limiter
	mu      sync.Mutex
	busy    map[string]bool // the receivers that have a lane, each behind its tenant's name
	of      map[string]int  // how many each tenant has
}

func newTeller(c *Control) *teller {
	t := &teller{control: c, rate: rate.NewLimiter(statusRate, statusClaim), busy: map[string]bool{}, of: map[string]int{}}
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

// lane tells one receiver of transcodes of one tenant.
func (t *teller) lane(ctx context.Context, ids []uuid.UUID) error {
	return (&statusLane{teller: t}).run(ctx, ids)
}

func (t *teller) secrets() *receivers.Secrets {
	return &receivers.Secrets{DB: t.control.DB, Sealer: t.control.Sealer}
}
