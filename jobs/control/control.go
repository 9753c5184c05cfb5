// Package control is what daemons do that lead: they place transcodes on hosts, take
// them from dead ones, and tell Studio. Any number of daemons may do it at once; rows
// decide who gets which.
package control

import (
	"context"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"

	"weir/jobs"
	"weir/jobs/bulk"
	"weir/jobs/trace"
	"weir/secret"
	"weir/studio"
)

const (
	// placeWorkers: rounds exclude each other anyway.
	placeWorkers = 1
	// callbackPoll is how late a delivery goes on that had to wait for its receiver. Every
	// daemon that leads asks so often, and an idle one asks for little else.
	callbackPoll = 5 * time.Second
	// placePoll is how late a round comes for what had to pause before its next attempt. Whoever
	// queues work, or frees room for it, tells of it, but River makes a job available that is
	// to run within 5 s, and tells nobody. It is part of the 30 s that a dead host costs.
	placePoll = 2 * time.Second
	// acceptPoll: weir.enqueue_transcode tells of its requests.
	acceptPoll = time.Minute
	// callbackWorkers wait for answers more than they work. A receiver that hangs holds
	// gateFirst of them for 10 s, and then one.
	callbackWorkers = 256
	// acceptWorkers: each is a transaction of a few ms. More would only take connections.
	acceptWorkers = 4
)

// Control is a daemon's part in it.
type Control struct {
	DB     *pgxpool.Pool
	Sealer *secret.Sealer
	// Inbox accepts requests by SQL.
	Inbox Inbox
	// Studio delivers callbacks; nil: this daemon does not lead.
	Studio *studio.Client
	Log    *slog.Logger
	// UrgentPercent of all slots stay for transcodes of priority 0 to 2.
	UrgentPercent int
	// Turned is called with each round of the lead, whatever came of it; nil: nobody asks.
	Turned func()
	// Trace follows transcodes; nil: nobody does.
	Trace *trace.Tracer
	// Told is told what came of a delivery, and how long after its outcome; nil: nobody is.
	Told func(fate studio.Fate, lag time.Duration)
}

// Inbox accepts what waits in it, in the transaction that is handed in.
type Inbox interface {
	Accept(ctx context.Context, tx pgx.Tx, id uuid.UUID) error
}

// Room is c's part in a daemon's River client.
func (c *Control) Room(settings *river.Config) {
	river.AddWorker(settings.Workers, &acceptWorker{db: c.DB, inbox: c.Inbox, trace: c.Trace})
	river.AddWorker(settings.Workers, &placeWorker{db: c.DB, log: c.Log, urgentPercent: c.UrgentPercent, trace: c.Trace})
	river.AddWorker(settings.Workers, &callbackWorker{db: c.DB, sealer: c.Sealer, studio: c.Studio, log: c.Log, trace: c.Trace, told: c.Told})
	bulk.Room(settings, c.DB, c.Log, c.Studio != nil)
	if c.Studio == nil {
		return
	}
	settings.LeaderElectionDisabled = false
	settings.Queues[jobs.AcceptQueue] = river.QueueConfig{MaxWorkers: acceptWorkers, FetchPollInterval: acceptPoll}
	settings.Queues[jobs.PlaceQueue] = river.QueueConfig{MaxWorkers: placeWorkers, FetchPollInterval: placePoll}
	settings.Queues[jobs.CallbackQueue] = river.QueueConfig{MaxWorkers: callbackWorkers, FetchPollInterval: callbackPoll}
}
