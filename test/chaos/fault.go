package main

import (
	"context"
	"time"
)

// fault is one thing that goes wrong under load.
type fault struct {
	name string
	// short faults are the selection of `make ci`.
	short bool
	// slow makes transcodes last long enough to strike in their middle.
	slow bool
	// outputs: what is asked for is packaged, too.
	outputs bool
	// disk faults need the small host's own disk, and so the right to mount it.
	disk bool
	// within is how long after the fault is healed all must have ended and be told.
	within time.Duration
	// repeats is the work that may be done again in the whole round.
	repeats repeats
	// before makes ready, with nothing in work; nil for nothing.
	before func(context.Context, *round) error
	// after ends what lasted all the time, once all have ended; nil for nothing.
	after func(context.Context, *round) error
	// strike does the fault under load and returns when it is healed.
	strike func(context.Context, *round) error
}

const (
	// soon is for faults that cost no attempt: the load itself takes 10 s on an idle
	// machine, and both cores are often busy.
	soon = 90 * time.Second
	// anew is for faults that cost an attempt: 2 s and then 10 s of waiting before
	// another, and the load once more.
	anew = soon + 45*time.Second
	// elsewhere is for faults that cost a lease: 20 s, and what anew has.
	elsewhere = anew + 30*time.Second
)

// Work that a fault may have done again, by the crash table of package jobs.
var (
	// nothing: what a soft stop, a lost trigger or a slow answer costs.
	nothing = repeats{}
	// handful: kill -9 of a daemon meets uploads of which no row says that they are done.
	handful = repeats{uploads: stores}
	// oneMore: one transcode's attempt is lost.
	oneMore = repeats{eaten: 1, attempts: 1, processes: 1, uploads: 1}
	// untold: Mist tells of its tracks in vain while Postgres is away, and what ends
	// before it is back has pushed nothing.
	untold = repeats{eaten: 2, attempts: 2, processes: 2, uploads: stores}
	// slotsMore: the attempts that one host has in work are lost, with no file of theirs.
	slotsMore = repeats{eaten: slots, attempts: slots, processes: slots}
	// hostMore: all attempts of one host are lost, with the files in its spool.
	hostMore = repeats{eaten: slots + 1, attempts: slots + 1, processes: slots + 1, uploads: stores * 2}
	// firstsMore: all first attempts are lost, before any of what they made anew is stored.
	firstsMore = repeats{eaten: flight, attempts: flight, processes: flight}
	// secondsMore: all first attempts are lost, and second ones that begin before the
	// last of them is.
	secondsMore = repeats{eaten: 2 * flight, attempts: 2 * flight, processes: 2 * flight}
	// allMore: all attempts are lost.
	allMore = repeats{eaten: flight, attempts: flight, processes: flight, uploads: flight}
)

// faults lists all of them, in the order in which they strike.
func faults() []*fault {
	var all []*fault
	for _, group := range [][]*fault{
		crashFaults(), processFaults(), startFaults(), pushFaults(), memoryFaults(), triggerFaults(), postgresFaults(), storageFaults(), broadcasterFaults(), networkFaults(), studioFaults(), hostFaults(), riverFaults(), diskFaults(), clockFaults(),
	} {
		all = append(all, group...)
	}
	return all
}
