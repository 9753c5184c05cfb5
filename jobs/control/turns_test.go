package control

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"weir/db/dbsqlc"
	"weir/jobs"
)

// waits is one transcode in a queue: whose it is, and what else is said of it.
type waits struct {
	tenant   string
	weight   int32
	held     int64
	most     int32 // running at most; 0: any
	turn     float64
	priority int16
	hosts    []string
	failedOn string
}

func queueOf(list []waits) []dbsqlc.TranscodeQueueRow {
	rows := make([]dbsqlc.TranscodeQueueRow, len(list))
	weights, head := 0.0, time.Time{}
	for i, w := range list {
		place := time.Unix(int64(i), 0)
		if i == 0 || list[i-1].tenant != w.tenant {
			weights += float64(max(w.weight, 1))
			head = place
		}
		rows[i] = dbsqlc.TranscodeQueueRow{
			ID: uuid.UUID{byte(i + 1)}, Tenant: w.tenant, Weight: max(w.weight, 1), Held: w.held, Turn: w.turn, Priority: w.priority, Hosts: w.hosts,
			Most: int64(len(list)) + 1, Place: place, Head: head, UrgentWait: true,
		}
		if w.most > 0 {
			rows[i].RunningMost = &w.most
		}
		if w.failedOn != "" {
			rows[i].HostID = &w.failedOn
		}
	}
	for i := range rows {
		rows[i].Weights = weights
	}
	return rows
}

// urgentOf is what is left of a queue for slots that stay for the urgent.
func urgentOf(queue []dbsqlc.TranscodeQueueRow, placed []jobs.Placement) []dbsqlc.TranscodeQueueRow {
	return slices.DeleteFunc(queue, func(row dbsqlc.TranscodeQueueRow) bool {
		return !urgent(&row) || slices.ContainsFunc(placed, func(p jobs.Placement) bool { return p.Transcode == row.ID })
	})
}

func of(tenant string, n int) []waits {
	list := make([]waits, n)
	for i := range list {
		list[i] = waits{tenant: tenant, priority: 5}
	}
	return list
}

func TestTurns(t *testing.T) {
	t.Parallel()
	both := []string{"h"}
	for _, test := range []struct {
		name     string
		queue    []waits // by tenant, each tenant's in the order of its queue
		free     []dbsqlc.HostFreeRow
		reserved int64
		// places are tenant and host of each that is placed, in order.
		places string
	}{
		{"nobody has room", of("a", 2), []dbsqlc.HostFreeRow{{ID: "h", Slots: 2}, {ID: "i", Slots: 1, Free: -1}}, 0, ""},
		{"the emptiest first", of("a", 3), []dbsqlc.HostFreeRow{{ID: "h", Slots: 1, Free: 1}, {ID: "i", Slots: 2, Free: 2}}, 0, "ai ah ai"},
		{"more than fits", of("a", 3), []dbsqlc.HostFreeRow{{ID: "h", Slots: 2, Free: 2}}, 0, "ah ah"},
		{"away from where it failed", []waits{{tenant: "a", failedOn: "i"}}, []dbsqlc.HostFreeRow{{ID: "h", Slots: 1, Free: 1}, {ID: "i", Slots: 9, Free: 9}}, 0, "ah"},
		{"back where it failed, if there is no other", []waits{{tenant: "a", failedOn: "h"}}, []dbsqlc.HostFreeRow{{ID: "h", Slots: 1, Free: 1}, {ID: "i", Slots: 1}}, 0, "ah"},
		{"one after the other", append(of("a", 4), of("b", 2)...), []dbsqlc.HostFreeRow{{ID: "h", Slots: 6, Free: 6}}, 0, "ah bh ah bh ah ah"},
		{
			"by weight", []waits{{tenant: "a", weight: 2}, {tenant: "a", weight: 2}, {tenant: "a", weight: 2}, {tenant: "a", weight: 2}, {tenant: "b"}, {tenant: "b"}},
			[]dbsqlc.HostFreeRow{{ID: "h", Slots: 6, Free: 6}}, 0, "ah bh ah ah bh ah",
		},
		{"who was served waits", []waits{{tenant: "a", turn: 3}, {tenant: "b", turn: 2}}, []dbsqlc.HostFreeRow{{ID: "h", Slots: 2, Free: 1}}, 0, "bh"},
		{"who holds more than its share waits", []waits{{tenant: "a", held: 3}, {tenant: "b", turn: 9}}, []dbsqlc.HostFreeRow{{ID: "h", Slots: 5, Free: 2}}, 0, "bh ah"},
		{"no more than it may run", []waits{{tenant: "a", held: 1, most: 2}, {tenant: "a", most: 2}, {tenant: "b"}}, []dbsqlc.HostFreeRow{{ID: "h", Slots: 9, Free: 9}}, 0, "ah bh"},
		{"only where it may run", []waits{{tenant: "a", hosts: both}, {tenant: "a", hosts: both}, {tenant: "b"}}, []dbsqlc.HostFreeRow{{ID: "h", Slots: 1, Free: 1}, {ID: "i", Slots: 9, Free: 9}}, 0, "ah bi"},
		{"of equal turns the more urgent", []waits{{tenant: "b", priority: 5}, {tenant: "a", priority: 5}}, []dbsqlc.HostFreeRow{{ID: "h", Slots: 2, Free: 1}}, 0, "bh"},
		{"slots that stay for the urgent", append(of("a", 3), waits{tenant: "b", priority: 2, turn: 9}), []dbsqlc.HostFreeRow{{ID: "h", Slots: 4, Free: 3}}, 2, "ah bh"},
		{"behind those who can wait", append(of("a", 3), waits{tenant: "a", priority: 0}), []dbsqlc.HostFreeRow{{ID: "h", Slots: 4, Free: 2}}, 2, "ah"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, free := slotsOf(test.free)
			turns := newTurns(queueOf(test.queue), test.free, roundMost, test.reserved, false)
			if free > test.reserved {
				turns.take(roundMost)
			}
			placed := turns.placements
			if turns.free > 0 && turns.free <= turns.reserve { // the next round
				turns = newTurns(urgentOf(queueOf(test.queue), placed), test.free, roundMost, turns.reserve, true)
				turns.take(roundMost)
				placed = append(placed, turns.placements...)
			}
			var places []string
			for _, p := range placed {
				places = append(places, test.queue[p.Transcode[0]-1].tenant+p.Host)
			}
			require.Equal(t, test.places, strings.Join(places, " "))
		})
	}
}

// Another round comes only where this one left what could be placed.
func TestTurnsLeaveMore(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		queue    []waits
		read     int64 // of each tenant's queue
		size     int   // tenants
		most     int
		reserved int64
		more     bool
	}{
		{"all is placed", of("a", 3), 4, 9, 9, 0, false},
		{"the round is full", of("a", 3), 4, 9, 2, 0, true},
		{"its queue was read no further", of("a", 3), 3, 9, 9, 0, true},
		{"it may run no more", []waits{{tenant: "a", most: 1}, {tenant: "a", most: 1}}, 2, 9, 9, 0, false},
		{"its hosts have no room", []waits{{tenant: "a", hosts: []string{"i"}}}, 1, 9, 9, 0, false},
		{"no slot is free", of("a", 9), 9, 9, 9, 0, false},
		{"tenants were not read", of("a", 1), 9, 1, 9, 0, true},
		{"what is left is for the urgent", of("a", 8), 9, 9, 9, 4, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			rows := queueOf(test.queue)
			for i := range rows {
				rows[i].Most = test.read
			}
			turns := newTurns(rows, []dbsqlc.HostFreeRow{{ID: "h", Slots: 9, Free: 9}}, test.size, test.reserved, false)
			turns.take(test.most)
			require.Equal(t, test.more, turns.more)
		})
	}
}

// Nobody takes a turn before a tenant that was not read and may have come before.
func TestTurnsUpToThePage(t *testing.T) {
	t.Parallel()
	empty := func(rows []dbsqlc.TranscodeQueueRow, tenant string) {
		for i := range rows {
			if rows[i].Tenant == tenant {
				rows[i].ID = uuid.Nil
			}
		}
	}
	for _, test := range []struct {
		name  string
		queue []waits
		size  int
		empty string
		// placed are whose they are; seen those whose heads are settled.
		placed, seen string
		more         bool
	}{
		{"all were read", append(of("a", 3), of("b", 2)...), 3, "", "ababa", "ab", false},
		{"one turn each", append(of("a", 3), of("b", 2)...), 2, "", "ab", "ab", true},
		{"up to the last one's", append(of("a", 3), waits{tenant: "b", turn: 1}), 2, "", "aab", "ab", true},
		{"one of them is gone", append(of("a", 3), of("b", 2)...), 2, "b", "a", "ba", true},
		{"all are gone", of("b", 1), 1, "b", "", "b", true},
		{"beyond its share behind those within", append(of("a", 1), waits{tenant: "b", held: 99}), 1, "", "a", "a", true},
		{"beyond its share where all within were read", append(of("a", 1), waits{tenant: "b", held: 99}, waits{tenant: "b", held: 99}), 2, "", "abb", "ab", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			rows := queueOf(test.queue)
			empty(rows, test.empty)
			turns := newTurns(rows, []dbsqlc.HostFreeRow{{ID: "h", Slots: 30, Free: 9}}, test.size, 0, false)
			turns.take(roundMost)
			var placed, seen string
			for _, p := range turns.placements {
				placed += test.queue[p.Transcode[0]-1].tenant
			}
			for _, l := range turns.seen {
				seen += l.tenant
			}
			require.Equal(t, []any{test.placed, test.seen, test.more}, []any{placed, seen, turns.more})
		})
	}
}

// Nobody takes a turn that may be of what is behind what was read of another's queue: a
// tenant beyond its share had slots of one within, of whom too few had been read.
func TestTurnsUpToWhatWasRead(t *testing.T) {
	t.Parallel()
	beyond := []waits{{tenant: "b", held: 99}, {tenant: "b", held: 99}}
	only := func(host string) []waits {
		return []waits{{tenant: "a", hosts: []string{host}}, {tenant: "a", hosts: []string{host}}}
	}
	for _, test := range []struct {
		name   string
		queue  []waits
		read   int64 // of each tenant's queue
		placed string
	}{
		{"all of it", slices.Concat(of("a", 2), beyond), 3, "aabb"},
		{"another is beyond its share", slices.Concat(of("a", 2), beyond), 2, "aa"},
		{"it has had as many turns, and another comes behind", slices.Concat(of("a", 1), []waits{{tenant: "b", turn: 1}}), 1, "a"},
		{"it has had more turns", slices.Concat(of("a", 2), []waits{{tenant: "b", turn: 1}}), 2, "aab"},
		{"it may run no more", slices.Concat([]waits{{tenant: "a", most: 1}}, beyond), 1, "abb"},
		{"its host is full", slices.Concat(only("i"), beyond), 2, "aabb"},
		{"its host has room", slices.Concat(only("h"), beyond), 2, "aa"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			rows := queueOf(test.queue)
			for i := range rows {
				rows[i].Most = test.read
			}
			turns := newTurns(rows, []dbsqlc.HostFreeRow{{ID: "h", Slots: 30, Free: 9}, {ID: "i", Slots: 2, Free: 2}}, 9, 0, false)
			turns.take(roundMost)
			var placed string
			for _, p := range turns.placements {
				placed += test.queue[p.Transcode[0]-1].tenant
			}
			require.Equal(t, test.placed, placed)
			require.Equal(t, test.read < 3, turns.more)
		})
	}
}
