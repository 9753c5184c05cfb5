package fleet_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"weir/db/dbsqlc"
	"weir/jobs"
	"weir/jobs/fleet"
	"weir/jobs/jobstest"
)

// What goes on, and what one host has of it.
func TestLook(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	running, storing := b.Start(t, b.Accept(t, "a").ID), b.Run(t, "a")
	b.Exec(t, "UPDATE weir.transcodes SET state = 'storing' WHERE id = $1", storing.ID)
	b.Accept(t, "a")
	b.Exec(t, `UPDATE weir.transcodes SET progress = '{"attempt": 1, "stage": "fetch", "done": 1, "of": 2, "unit": "bytes", "at": "2026-01-01T00:00:00Z"}' WHERE id = $1`, running.ID)
	o, err := fleet.Look(t.Context(), b.Pool)
	require.NoError(t, err)
	require.Equal(t, []fleet.Host{{ID: jobstest.Host, State: "alive", Slots: 4, Used: 1, Storing: 1, SpoolRoomBytes: 1}}, o.Hosts)
	require.Len(t, o.Tenants, 1)
	require.EqualValues(t, 1, o.Tenants[0].Queued)
	require.Len(t, o.Running, 2)

	holding, err := fleet.Holds(t.Context(), b.Pool, jobstest.Host)
	require.NoError(t, err)
	stages := map[uuid.UUID]string{}
	for _, held := range holding.Held {
		stages[held.ID] = held.Stage
	}
	require.Equal(t, map[uuid.UUID]string{running.ID: "fetch", storing.ID: "store"}, stages)
	_, err = fleet.Holds(t.Context(), b.Pool, "nobody")
	require.ErrorIs(t, err, jobs.ErrNoHost)
}

// Only a lost host that holds nothing is forgotten; one that boots again is there again.
func TestForget(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	hosts := &jobs.Hosts{DB: b.Pool, River: b.River}
	held := b.Start(t, b.Accept(t, "a").ID)
	_, err := hosts.Forget(t.Context(), jobstest.Host)
	require.ErrorIs(t, err, jobs.ErrHostInUse)
	b.Dies(t, jobstest.Host)
	_, err = hosts.Forget(t.Context(), jobstest.Host)
	require.ErrorIs(t, err, jobs.ErrHostInUse)
	require.ErrorContains(t, err, held.ID.String())
	_, err = b.Transcodes.Cancel(t.Context(), "", held.ID)
	require.NoError(t, err)
	uncleaned, err := hosts.Forget(t.Context(), jobstest.Host)
	require.NoError(t, err)
	require.EqualValues(t, 1, uncleaned)
	require.Zero(t, b.Count(t, "SELECT count(*) FROM weir.attempts WHERE cleaned_at IS NULL"))
	for _, id := range []string{jobstest.Host, "nobody"} {
		_, err = hosts.Forget(t.Context(), id)
		require.ErrorIs(t, err, jobs.ErrNoHost)
	}
	b.Boot(t, jobstest.Host, 2)
	_, err = fleet.Holds(t.Context(), b.Pool, jobstest.Host)
	require.NoError(t, err)
}

// weir.v_hosts says of a host what HostState says, whatever else is wrong with it, and
// that it takes work where nothing is.
func TestViewTellsTheState(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	b.Exec(t, `INSERT INTO weir.hosts (id, boot_id, slots, up, lease_until, draining, mist_silent_from, spool_room_bytes)
		SELECT format('flags-%s', n), gen_random_uuid(), 1, n & 1 = 0, now() + CASE n & 2 WHEN 0 THEN interval '1 hour' ELSE -interval '1 hour' END,
		       n & 4 > 0, CASE WHEN n & 8 > 0 THEN now() END, CASE n & 16 WHEN 0 THEN 1 ELSE 0 END
		  FROM generate_series(0, 31) n`)
	hosts, err := dbsqlc.New().HostList(t.Context(), b.Pool)
	require.NoError(t, err)
	seen := map[string]int{}
	for i := range hosts {
		want := fleet.HostState(&hosts[i])
		var state string
		var takes bool
		require.NoError(t, b.Pool.QueryRow(t.Context(), "SELECT state, takes_work FROM weir.v_hosts WHERE id = $1", hosts[i].Host.ID).Scan(&state, &takes))
		require.Equal(t, want, state, hosts[i].Host.ID)
		require.Equal(t, want == fleet.Alive, takes, hosts[i].Host.ID)
		if hosts[i].Host.ID != jobstest.Host {
			seen[state]++
		}
	}
	require.Equal(t, map[string]int{
		fleet.Stopped: 16, fleet.Lost: 8, fleet.Draining: 4, fleet.MistSilent: 2, fleet.SpoolFull: 1, fleet.Alive: 1,
	}, seen)
}
