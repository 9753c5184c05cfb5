package control

import (
	"cmp"
	"container/heap"
	"math"
	"slices"
	"time"

	"github.com/google/uuid"

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
//
// The queue is a page: of those within their share, and of those beyond it, as many tenants
// as there are slots to give. Nobody is served before a tenant that was not read and comes
// before it.
type turns struct {
	lanes []*lane // a heap
	hosts []dbsqlc.HostFreeRow
	// free slots, of which those beyond reserve are for the urgent alone.
	free, reserve int64
	// urgent: the queue is theirs alone, for slots that stay for them.
	urgent bool
	// urgentWait: some may be left for those slots.
	urgentWait bool
	// within and beyond are where what was read of those ends; nil: it was all.
	within, beyond *end
	clock          float64
	// moved: the clock was before it.
	moved      bool
	placements []jobs.Placement
	// seen are those whose heads are not what the rows say: who was served, and whose queue
	// has lost what was first.
	seen []*lane
	// spent are those of whose queues all that was read is placed, and that may have more.
	spent []*lane
	// more: somebody's queue was not read to where it could not be placed any more.
	more bool
}

// end is the last of a page.
type end struct {
	turn  float64
	place time.Time
}

// lane is a tenant's queue, and its place among the others.
type lane struct {
	tenant string
	weight float64
	turn   float64
	head   time.Time // as it is listed
	held   int64     // slots
	share  int64     // slots that it may hold while others wait
	most   int64     // slots that it may hold at all
	hosts  map[string]bool
	rows   []dbsqlc.TranscodeQueueRow
	last   time.Time // the place of the last that was placed
	// cut: there may be more behind rows.
	cut          bool
	served, seen bool
	// host is for rows[0].
	host int
}

func (l *lane) beyond() bool { return l.held >= l.share }

// newTurns begins a round over a queue that was asked for so many tenants. reserve is the
// number of free slots that stay for the urgent; urgent: only theirs are free, and the queue is.
func newTurns(queue []dbsqlc.TranscodeQueueRow, hosts []dbsqlc.HostFreeRow, size int, reserve int64, urgent bool) *turns {
	t := &turns{hosts: hosts, reserve: reserve, urgent: urgent}
	slots, free := slotsOf(hosts)
	t.free = free
	for i := range queue {
		row := &queue[i]
		if i == 0 || queue[i-1].Tenant != row.Tenant {
			t.clock, t.urgentWait = row.Clock, row.UrgentWait
			l := &lane{tenant: row.Tenant, weight: float64(row.Weight), turn: row.Turn, head: row.Head, held: row.Held, most: math.MaxInt64}
			l.share = int64(math.Ceil(float64(slots) * l.weight / row.Weights)) // as TranscodeQueue has it
			if row.RunningMost != nil {
				l.most = int64(*row.RunningMost)
			}
			if row.Hosts != nil {
				l.hosts = map[string]bool{}
				for _, host := range row.Hosts {
					l.hosts[host] = true
				}
			}
			t.lanes = append(t.lanes, l)
		}
		if row.ID == uuid.Nil {
			continue
		}
		l := t.lanes[len(t.lanes)-1]
		l.rows = append(l.rows, *row)
		l.cut = int64(len(l.rows)) >= row.Most
	}
	t.within, t.beyond = endOf(t.lanes, size, false), endOf(t.lanes, size, true)
	waiting := t.lanes
	t.lanes = nil
	for _, l := range waiting {
		if len(l.rows) == 0 || !l.rows[0].Place.Equal(l.head) {
			t.see(l)
		}
		t.enter(l)
	}
	return t
}

// endOf is the end of a page of those within, or beyond, their share; nil: it is not full.
func endOf(lanes []*lane, size int, beyond bool) *end {
	var last *end
	for _, l := range lanes {
		if l.beyond() != beyond {
			continue
		}
		size--
		if last == nil || cmp.Or(cmp.Compare(l.turn, last.turn), l.head.Compare(last.place)) > 0 {
			last = &end{l.turn, l.head}
		}
	}
	if size > 0 {
		return nil
	}
	return last
}

// take places up to most.
func (t *turns) take(most int) {
	for len(t.placements) < most && len(t.lanes) > 0 && !t.unread(t.lanes[0]) {
		l := heap.Pop(t).(*lane) //nolint:forcetypeassert,errcheck // nothing else is in it
		if !t.ready(l) {         // since it was queued its host or the last open slot was taken
			continue
		}
		t.placements = append(t.placements, jobs.Placement{Transcode: l.rows[0].ID, Host: t.hosts[l.host].ID})
		t.hosts[l.host].Free--
		t.free--
		if urgent(&l.rows[0]) {
			t.reserve = max(t.reserve-1, 0)
		}
		if l.turn > t.clock {
			t.clock, t.moved = l.turn, true
		}
		l.turn += 1 / l.weight
		l.held++
		l.served = true
		l.last, l.rows = l.rows[0].Place, l.rows[1:]
		t.see(l)
		t.enter(l)
	}
	left := len(t.lanes) > 0 || (t.within != nil || t.beyond != nil) && (t.urgent || t.free > t.reserve)
	// Where nothing has changed another round would see the same.
	t.more = (t.more || left) && t.free > 0 && len(t.seen) > 0
}

// see has a tenant's head settled at the end of the round.
func (t *turns) see(l *lane) {
	if !l.seen {
		l.seen = true
		t.seen = append(t.seen, l)
	}
}

// unread says whether what was not read may come before a tenant: another of its share's, or
// what is behind what was read of a queue. Who was read and not served yet comes before other
// tenants, if its queue is what its head says.
func (t *turns) unread(l *lane) bool {
	for _, s := range t.spent {
		if s.compare(l) < 0 && t.room(s) {
			return true
		}
	}
	last := t.within
	if l.beyond() {
		if t.within != nil {
			return true
		}
		last = t.beyond
	}
	return last != nil && (l.turn > last.turn || l.served && l.turn == last.turn && l.rows[0].Place.After(last.place))
}

// enter queues a tenant that has something to be placed now.
func (t *turns) enter(l *lane) {
	if t.open(l) {
		heap.Push(t, l)
	}
}

// room says whether a host has a free slot that a tenant may use.
func (t *turns) room(l *lane) bool {
	return slices.ContainsFunc(t.hosts, func(h dbsqlc.HostFreeRow) bool { return h.Free > 0 && l.mayUse(h.ID) })
}

func (l *lane) mayUse(host string) bool { return l.hosts == nil || l.hosts[host] }

// ready also finds the host. Where there is none there will be none in this round: slots
// only get fewer.
func (t *turns) ready(l *lane) bool {
	if !t.open(l) {
		return false
	}
	l.host = t.hostFor(l)
	return l.host >= 0
}

// open says whether the first of a tenant's rows may be placed.
func (t *turns) open(l *lane) bool {
	switch {
	case l.held >= l.most || t.free <= 0:
		return false
	case !t.urgent && t.free <= t.reserve:
		t.more = t.more || t.urgentWait
		return false
	case len(l.rows) == 0:
		if l.cut && l.served {
			t.spent, t.more = append(t.spent, l), true
		}
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
		if host.Free > 0 && l.mayUse(host.ID) && (best < 0 || better(&l.rows[0], host, &t.hosts[best])) {
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
	return t.lanes[i].compare(t.lanes[j]) < 0
}

// compare says whose turn is first.
func (l *lane) compare(other *lane) int {
	if l.beyond() != other.beyond() {
		if other.beyond() {
			return -1
		}
		return 1
	}
	return cmp.Or(cmp.Compare(l.turn, other.turn), l.place().Compare(other.place()), cmp.Compare(l.tenant, other.tenant))
}

// place is that of the first of its rows; what is behind rows that are spent has none before
// the last one's.
func (l *lane) place() time.Time {
	if len(l.rows) == 0 {
		return l.last
	}
	return l.rows[0].Place
}
