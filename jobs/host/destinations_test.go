package host

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"weir/jobs"
)

// No destination gets all places; those that are away get one each, and together no more
// than one that is well.
func TestDestinations(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const most = 2
		var d destinations
		enter := func(name string) func() {
			leave, wait := d.enter("of "+name, name, most)
			require.Nil(t, wait, name)
			return leave
		}
		waits := func(name string) *turned {
			leave, wait := d.enter("of "+name, name, most)
			require.Nil(t, leave, name)
			return wait
		}
		leave := enter("a")
		enter("a")
		require.Equal(t, &turned{until: turnEvery}, waits("a"))
		require.Equal(t, &turned{until: 2 * turnEvery}, waits("a"), "one after the other")
		for range 1000 {
			require.LessOrEqual(t, waits("a").until, storeRetryMax+turnEvery)
		}
		enter("b")()
		leave()
		enter("a")()

		why := jobs.Failed("s3_unavailable", jobs.StageStore, "")
		for _, name := range []string{"x", "y", "z"} {
			d.away(name, why)
		}
		x := enter("x")
		require.Equal(t, &turned{until: storeRetryMin, away: why}, waits("x"), "one at a time")
		y := enter("y")
		require.Equal(t, why, waits("z").away, "together they have their share")
		<-time.After(time.Hour)
		d.away("x", why)
		require.Equal(t, storeRetryMax, waits("x").until)
		enter("b")()
		y()
		enter("z")()
		d.back("x")
		enter("x")()
		x()
		require.Len(t, d.busy, 1)
	})
}

// No tenant gets all places, however many destinations it has, and several that hold theirs
// leave room for the next.
func TestDestinationsOfTenants(t *testing.T) {
	t.Parallel()
	const most = 4 // of eight workers
	var d destinations
	fill := func(tenant string) (leaves []func()) {
		for i := range 2 * most {
			if leave, wait := d.enter(tenant, tenant+"/"+string(rune('a'+i)), most); wait == nil {
				leaves = append(leaves, leave)
			}
		}
		return leaves
	}
	first := fill("first")
	require.Len(t, first, most+tenantSpare)
	require.Len(t, fill("second"), 2)
	require.Len(t, fill("third"), 1)
	for _, leave := range first {
		leave()
	}
	require.NotEmpty(t, fill("fifth"))
	require.NotContains(t, d.of, "first")
}
