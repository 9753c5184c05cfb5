package doctor

import (
	"context"
	"fmt"
	"strings"
	"time"

	"weir/db/dbsqlc"
)

// lateAfter is how late a job may be fetched: what is over a receiver's or a bucket's share
// is put off and not left, so only a queue that nobody works on, or one with more to do
// than hands, is so late.
const lateAfter = 2 * time.Minute

func (d *database) leader(ctx context.Context) []Finding {
	rows, err := dbsqlc.New().RiverLeader(ctx, d.pool)
	if err != nil {
		return unseen(RiverLeader, err)
	}
	switch {
	case len(rows) == 0:
		return []Finding{Wrong(Fail, RiverLeader, "", "", "no daemon leads: nothing is rescheduled, and no periodic job comes")}
	case !rows[0].Alive:
		return []Finding{Wrong(Fail, RiverLeader, "", "", "%s led, and is gone: nothing is rescheduled, and no periodic job comes", rows[0].LeaderID)}
	}
	return []Finding{Well(RiverLeader, "", "%s leads", rows[0].LeaderID)}
}

func (d *database) queues(ctx context.Context) []Finding {
	paused, err := dbsqlc.New().RiverQueuesPaused(ctx, d.pool)
	if err != nil {
		return unseen(RiverQueues, err)
	}
	if len(paused) == 0 {
		return []Finding{Well(RiverQueues, "", "none is paused")}
	}
	var names []string
	for _, queue := range paused {
		names = append(names, fmt.Sprintf("%s for %s", queue.Name, since(queue.Seconds)))
	}
	return []Finding{Wrong(Fail, RiverQueues, "", "", "paused in River: %s", strings.Join(names, ", "))}
}

func (d *database) stuck(ctx context.Context) []Finding {
	q := dbsqlc.New()
	late, err := q.RiverJobsLate(ctx, d.pool, d.late.Seconds())
	if err != nil {
		return unseen(RiverStuck, err)
	}
	orphaned, err := q.RiverJobsOrphaned(ctx, d.pool)
	if err != nil {
		return unseen(RiverStuck, err)
	}
	var found []Finding
	for _, row := range late {
		found = append(found, Wrong(Warn, RiverStuck, row.Queue, "", "%d jobs are due and not fetched, the first for %s", row.Jobs, since(row.Seconds)))
	}
	for _, row := range orphaned {
		found = append(found, Wrong(Warn, RiverStuck, row.Host, "", "%d jobs are in the hands of a daemon that is gone", row.Jobs))
	}
	if len(found) == 0 {
		found = append(found, Well(RiverStuck, "", "no job waits for a hand"))
	}
	return found
}
