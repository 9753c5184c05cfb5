package control

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"weir/db/dbsqlc"
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
	for i, w := range list {
		rows[i] = dbsqlc.TranscodeQueueRow{
			ID: uuid.UUID{byte(i)}, Tenant: w.tenant, Weight: max(w.weight, 1), Held: w.held, Turn: w.turn, Priority: w.priority, Hosts: w.hosts,
			Most: int64(len(list)) + 1, Place: time.Unix(int64(i), 0),
		}
		if w.most > 0 {
			rows[i].RunningMost = &w.most
		}
		if w.failedOn != "" {
			rows[i].HostID = &w.failedOn
		}
	}
	return rows
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
			turns := newTurns(queueOf(test.queue), test.free, test.reserved)
			turns.take(roundMost)
			var places []string
			for _, p := range turns.placements {
				places = append(places, test.queue[p.Transcode[0]].tenant+p.Host)
			}
			require.Equal(t, test.places, strings.Join(places, " "))
		})
	}
}

// Another round comes only where this one left what could be placed.
func TestTurnsLeaveMore(t *testing.T) {
	t.Parallel()
	room := []dbsqlc.HostFreeRow{{ID: "h", Slots: 9, Free: 9}}
	more := func(queue []waits, cut int64, most int) bool {
		rows := queueOf(queue)
		for i := range rows {
			rows[i].Most = cut
		}
		turns := newTurns(rows, append([]dbsqlc.HostFreeRow(nil), room...), 0)
		turns.take(most)
		return turns.more
	}
	require.False(t, more(of("a", 3), 4, 9))
	require.True(t, more(of("a", 3), 4, 2), "the round is full")
	require.True(t, more(of("a", 3), 3, 9), "its queue was read no further")
	require.False(t, more([]waits{{tenant: "a", most: 1}, {tenant: "a", most: 1}}, 2, 9), "it may run no more")
	require.False(t, more([]waits{{tenant: "a", hosts: []string{"i"}}}, 1, 9), "its hosts have no room")
	require.False(t, more(of("a", 9), 9, 9), "no slot is free")
}
