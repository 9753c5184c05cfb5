package control

import (
	"cmp"
	"container/heap"
	"math"
	"slices"

	"weir/db/dbsqlc"
	"weir/jobs"
)

// turns decides whose turn it is. It is pure: what it is made of is what the queue and the
// hosts are in a round's transaction.
//
// A tenant within its share of the slots comes before one beyond it; the share is by weight,
// of all who wait. Among those, who took the fewest turns by weight: each slot taken moves a
// tenant's turn by one, divided by its weight, and whoever has not waited lately begins where
// the others are. So a backlog delays nobody by more than the slot that comes free next.
// Where turns are equal the more urgent transcode comes first; within a tenant the one whose
// place in the queue is first.
type turns struct {
	lanes []*lane // a heap
	hosts []dbsqlc.HostFreeRow
	// free slots, of which those beyond reserve are for the urgent alone.
	free, reserve int64
	clock         float64
	placements    []jobs.Placement
	// more: somebody's queue was not read to where it could not be placed any more.
	more bool
}

// lane is a tenant's queue, and its place among the others.
type lane struct {
	tenant string
	weight float64
	turn   float64
	held   int64 // slots
	share  int64 // slots that it may hold while others wait
	most   int64 // slots that it may hold at all
	hosts  map[string]bool
	rows   []dbsqlc.TranscodeQueueRow
	// cut: there may be more behind rows.
	cut    bool
	served bool
	// host is for rows[0].
	host int
}

// newTurns begins a round. reserved is the number of all slots that stay for the urgent.
func newTurns(queue []dbsqlc.TranscodeQueueRow, hosts []dbsqlc.HostFreeRow, reserved int64) *turns {
	t := &turns{hosts: hosts}
	slots, free := slotsOf(hosts)
	t.free = free
	var weights float64
	for i := range queue {
		row := &queue[i]
		t.reserve = max(reserved-row.UrgentHeld, 0)
		if i > 0 && queue[i-1].ID == row.ID { // also among the urgent
			continue
		}
		if i == 0 || queue[i-1].Tenant != row.Tenant {
			l := &lane{tenant: row.Tenant, weight: float64(row.Weight), turn: row.Turn, held: row.Held, most: math.MaxInt64}
			if row.RunningMost != nil {
				l.most = int64(*row.RunningMost)
			}
			if row.Hosts != nil {
				l.hosts = map[string]bool{}
				for _, host := range row.Hosts {
					l.hosts[host] = true
				}
			}
			weights += l.weight
			t.lanes = append(t.lanes, l)
		}
		l := t.lanes[len(t.lanes)-1]
		l.rows = append(l.rows, *row)
		l.cut = int64(len(l.rows)) >= row.Most
	}
	for _, l := range t.lanes {
		l.share = int64(math.Ceil(float64(slots) * l.weight / weights))
	}
	waiting := t.lanes
	t.lanes = nil
	for _, l := range waiting {
		t.enter(l)
	}
	return t
}

// take places up to most. taken are those that were served, with their next turns.
func (t *turns) take(most int) (taken []*lane) {
	for len(t.placements) < most && len(t.lanes) > 0 {
		l := heap.Pop(t).(*lane) //nolint:forcetypeassert,errcheck // nothing else is in it
		if !t.ready(l) {         // since it was queued its host or the last open slot was taken
			continue
		}
		if !l.served {
			taken = append(taken, l)
		}
		t.placements = append(t.placements, jobs.Placement{Transcode: l.rows[0].ID, Host: t.hosts[l.host].ID})
		t.hosts[l.host].Free--
		t.free--
		if urgent(&l.rows[0]) {
			t.reserve = max(t.reserve-1, 0)
		}
		t.clock = max(t.clock, l.turn)
		l.turn += 1 / l.weight
		l.held++
		l.served = true
		l.rows = l.rows[1:]
		t.enter(l)
	}
	t.more = t.more || len(t.lanes) > 0 && t.free > 0
	return taken
}

// enter queues a tenant that has something to be placed now.
func (t *turns) enter(l *lane) {
	if t.open(l) {
		heap.Push(t, l)
	}
}

// ready also finds the host. Where there is none there will be none in this round: slots
// only get fewer.
func (t *turns) ready(l *lane) bool {
	if !t.open(l) {
		return false
	}
	l.host = t.hostFor(l)
	return l.host >= 0
}

// open brings what of a tenant may be placed to the front of its rows.
func (t *turns) open(l *lane) bool {
	if l.held >= l.most || t.free <= 0 {
		return false
	}
	if t.free <= t.reserve {
		l.rows = slices.DeleteFunc(l.rows, func(row dbsqlc.TranscodeQueueRow) bool { return !urgent(&row) })
	}
	if len(l.rows) == 0 {
		t.more = t.more || l.cut && l.served && t.free > t.reserve
		return false
	}
	return true
}

// hostFor is the host with the most free slots, of those that the tenant may use; not the
// one that the transcode's last attempt failed on where another has room; -1: none has.
func (t *turns) hostFor(l *lane) int {
	best := -1
	for i := range t.hosts {
		host := &t.hosts[i]
		if host.Free > 0 && (l.hosts == nil || l.hosts[host.ID]) && (best < 0 || better(&l.rows[0], host, &t.hosts[best])) {
			best = i
		}
	}
	return best
}

func better(row *dbsqlc.TranscodeQueueRow, a, b *dbsqlc.HostFreeRow) bool {
	aFailed, bFailed := row.HostID != nil && *row.HostID == a.ID, row.HostID != nil && *row.HostID == b.ID
	if aFailed != bFailed {
		return bFailed
	}
	return a.Free > b.Free
}

func urgent(row *dbsqlc.TranscodeQueueRow) bool { return row.Priority <= jobs.UrgentPriority }

// slotsOf counts the hosts' slots, and those of them that are free.
func slotsOf(hosts []dbsqlc.HostFreeRow) (all, free int64) {
	for i := range hosts {
		all += int64(hosts[i].Slots)
		free += int64(max(hosts[i].Free, 0))
	}
	return all, free
}

// Len implements heap.Interface.
func (t *turns) Len() int { return len(t.lanes) }

// Swap implements heap.Interface.
func (t *turns) Swap(i, j int) { t.lanes[i], t.lanes[j] = t.lanes[j], t.lanes[i] }

// Push implements heap.Interface.
func (t *turns) Push(l any) { t.lanes = append(t.lanes, l.(*lane)) } //nolint:forcetypeassert,errcheck // enter's

// Pop implements heap.Interface.
func (t *turns) Pop() any {
	last := len(t.lanes) - 1
	l := t.lanes[last]
	t.lanes = t.lanes[:last]
	return l
}

// Less implements heap.Interface: whose turn is first.
func (t *turns) Less(i, j int) bool {
	a, b := t.lanes[i], t.lanes[j]
	if aBeyond, bBeyond := a.held >= a.share, b.held >= b.share; aBeyond != bBeyond {
		return bBeyond
	}
	return cmp.Or(cmp.Compare(a.turn, b.turn), a.rows[0].Place.Compare(b.rows[0].Place), cmp.Compare(a.tenant, b.tenant)) < 0
}
