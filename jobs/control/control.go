// Package control is what daemons do that lead: they place transcodes on hosts, take
// them from dead ones, and tell Studio. Any number of daemons may do it at once; rows
// decide who gets which.
package control

import (
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"

	"weir/jobs"
	"weir/secret"
	"weir/studio"
)

const (
	// placeWorkers: rounds exclude each other anyway.
	placeWorkers = 1
	// callbackPoll is how late a delivery goes on that had to wait for its receiver. Every
	// daemon that leads asks so often, and an idle one asks for little else.
	callbackPoll = 5 * time.Second
	// placePoll: whoever queues work, or frees room for it, tells of it.
	placePoll = 10 * time.Second
	// callbackWorkers wait for answers more than they work. A receiver that hangs holds
	// gateFirst of them for 10 s, and then one.
	callbackWorkers = 256
)

// Control is a daemon's part in it.
type Control struct {
	DB     *pgxpool.Pool
	Sealer *secret.Sealer
	// Studio delivers callbacks; nil: this daemon does not lead.
	Studio *studio.Client
	Log    *slog.Logger
}

// Room is c's part in a daemon's River client.
func (c *Control) Room(settings *river.Config) {
	river.AddWorker(settings.Workers, &placeWorker{db: c.DB, log: c.Log})
	river.AddWorker(settings.Workers, &callbackWorker{db: c.DB, sealer: c.Sealer, studio: c.Studio, log: c.Log})
	if c.Studio == nil {
		return
	}
	settings.LeaderElectionDisabled = false
	settings.Queues[jobs.PlaceQueue] = river.QueueConfig{MaxWorkers: placeWorkers, FetchPollInterval: placePoll}
	settings.Queues[jobs.CallbackQueue] = river.QueueConfig{MaxWorkers: callbackWorkers, FetchPollInterval: callbackPoll}
	settings.PeriodicJobs = append(settings.PeriodicJobs, every(placeEvery, jobs.PlaceArgs{}))
}

func every(interval time.Duration, args river.JobArgs) *river.PeriodicJob {
	return river.NewPeriodicJob(river.PeriodicInterval(interval),
		func() (river.JobArgs, *river.InsertOpts) { return args, nil },
		&river.PeriodicJobOpts{RunOnStart: true})
}
