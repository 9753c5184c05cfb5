package control

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"weir/db/dbsqlc"
	"weir/jobs/jobstest"
)

func TestAssign(t *testing.T) {
	t.Parallel()
	a, b := "a", "b"
	fresh := func(n int) []dbsqlc.Transcode {
		list := make([]dbsqlc.Transcode, n)
		for i := range list {
			list[i].ID = uuid.New()
		}
		return list
	}
	for _, test := range []struct {
		name  string
		queue []dbsqlc.Transcode
		free  []dbsqlc.HostFreeRow
		hosts []string
	}{
		{"nobody has room", fresh(2), []dbsqlc.HostFreeRow{{ID: "a", Free: 0}, {ID: "b", Free: -1}}, nil},
		{"the emptiest first", fresh(3), []dbsqlc.HostFreeRow{{ID: "a", Free: 1}, {ID: "b", Free: 2}}, []string{"b", "a", "b"}},
		{"more than fits", fresh(3), []dbsqlc.HostFreeRow{{ID: "a", Free: 2}}, []string{"a", "a"}},
		{"away from where it failed", []dbsqlc.Transcode{{HostID: &b}}, []dbsqlc.HostFreeRow{{ID: "a", Free: 1}, {ID: "b", Free: 9}}, []string{"a"}},
		{"back where it failed, if there is no other", []dbsqlc.Transcode{{HostID: &a}}, []dbsqlc.HostFreeRow{{ID: "a", Free: 1}, {ID: "b", Free: 0}}, []string{"a"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var hosts []string
			for _, p := range assign(test.queue, test.free) {
				hosts = append(hosts, p.host)
			}
			require.Equal(t, test.hosts, hosts)
		})
	}
}

// Only hosts with a running lease and a free slot that are not draining are offered;
// a storing transcode holds no slot.
func TestHostFree(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	b.Boot(t, "dead", 4)
	b.Boot(t, "draining", 4)
	_, err := b.Pool.Exec(t.Context(), "UPDATE weir.hosts SET lease_until = now() WHERE id = 'dead'")
	require.NoError(t, err)
	_, err = b.Pool.Exec(t.Context(), "UPDATE weir.hosts SET draining = true WHERE id = 'draining'")
	require.NoError(t, err)
	b.Place(t, b.Accept(t, "a").ID, jobstest.Host)
	storing := b.Run(t, "a")
	_, err = dbsqlc.New().TranscodeSetStoring(t.Context(), b.Pool, dbsqlc.TranscodeSetStoringParams{ID: storing.ID, Attempt: 1})
	require.NoError(t, err)
	free, err := dbsqlc.New().HostFree(t.Context(), b.Pool)
	require.NoError(t, err)
	require.Equal(t, []dbsqlc.HostFreeRow{{ID: jobstest.Host, Free: 3}}, free)
}
