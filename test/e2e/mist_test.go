package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"

	"weir/internal/devstack"
	"weir/internal/mistsim/broadcaster"
)

// Triggers are hints: without them it takes seconds more and ends the same.
func TestTriggersMisbehave(t *testing.T) {
	t.Parallel()
	needsStandIn(t, "lose, double or reorder its triggers")
	for name, faults := range map[string]string{
		"lost":                  `{"lose_triggers":["*"]}`,
		"doubled and reordered": `{"double_triggers":true,"reorder_triggers":true}`,
		"late":                  `{"delay_triggers_ms":3000}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setupOwn(t, func(*devstack.Config) {})
			require.NoError(t, b.Hosts[0].Faults(b.ctx, faults))
			// As slow as real ones: what is missed is found out in seconds.
			gateway := startGateway(t)
			require.NoError(t, gateway.SetFaults(broadcaster.Faults{Mode: broadcaster.ModeSlow, DelayMS: 1000}))
			source, facts := b.source(t, long())
			req := b.request(t, source, sized("a", 160, 96), sized("b", 160, 96))
			req.Livepeer = gateway.livepeer()
			id := b.submit(t, req)
			require.Equal(t, 1, b.succeeds(t, id, facts).Attempt)
		})
	}
}

// A Mist that starts no push costs time, and none of the transcode's attempts.
func TestPushesFail(t *testing.T) {
	t.Parallel()
	needsStandIn(t, "start no push")
	b := setupOwn(t, func(*devstack.Config) {})
	require.NoError(t, b.Hosts[0].Faults(b.ctx, `{"ignore_pushes":true}`))
	source, facts := b.source(t, plain())
	id := b.submit(t, b.request(t, source))
	waiting := b.awaitTranscode(t, id, func(transcode *devstack.Transcode) bool { return transcode.State == "queued" && transcode.Attempt == 1 })
	require.Equal(t, "push_failed", waiting.Error.Code)
	require.NoError(t, b.Hosts[0].Faults(b.ctx, `{}`))
	b.succeeds(t, id, facts)
	require.Equal(t, []string{"2"}, b.lines(t, "SELECT attempts_left::text FROM weir.transcodes WHERE id = $1", id))
}

// Starts that hang cost seconds, and no attempt: the log says so.
func TestStartsHang(t *testing.T) {
	t.Parallel()
	needsStandIn(t, "hang at its start")
	for _, how := range []string{"session", "boot", "buffer"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			b := setupOwn(t, func(*devstack.Config) {})
			require.NoError(t, b.Hosts[0].Faults(b.ctx, `{"hang_starts":2,"hang_start_as":"`+how+`"}`))
			source, facts := b.source(t, plain())
			id := b.submit(t, b.request(t, source))
			require.Equal(t, 1, b.succeeds(t, id, facts).Attempt)
			require.Equal(t, []string{"2"}, b.lines(t, "SELECT hung_starts::text FROM weir.attempts WHERE transcode_id = $1", id))
		})
	}
}

// A push that loses the race against the process's end is made again in the same
// attempt, and what is pushed stays.
func TestPushesLoseTheRace(t *testing.T) {
	t.Parallel()
	needsStandIn(t, "lose pushes")
	for _, how := range []string{"shm_lost", "unknown", "unstarted"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			b := setupOwn(t, func(*devstack.Config) {})
			require.NoError(t, b.Hosts[0].Faults(b.ctx, `{"lose_pushes":1,"of_pushes":2,"lose_pushes_as":"`+how+`"}`))
			source, facts := b.source(t, plain())
			id := b.submit(t, b.request(t, source, sized("a", 160, 96), sized("b", 160, 96)))
			require.Equal(t, 1, b.succeeds(t, id, facts).Attempt)
			if how != "unstarted" { // which a second try makes good, if it comes in time
				require.Equal(t, []string{"1"}, b.lines(t, "SELECT reruns::text FROM weir.attempts WHERE transcode_id = $1", id))
			}
		})
	}
}

// A daemon that is killed between the two starts goes on with the next one.
func TestKilledBetweenTwoStarts(t *testing.T) {
	t.Parallel()
	needsStandIn(t, "hang at its start")
	b := setupOwn(t, func(*devstack.Config) {})
	require.NoError(t, b.Hosts[0].Faults(b.ctx, `{"hang_starts":1}`))
	source, facts := b.source(t, plain())
	id := b.submit(t, b.request(t, source))
	await(t, b.ctx, "the start to hang", func() bool {
		return len(b.lines(t, "SELECT stage FROM weir.attempts WHERE transcode_id = $1 AND stage = 'started'", id)) > 0
	})
	require.NoError(t, b.Daemons[0].Kill())
	require.NoError(t, b.Daemons[0].Restart(b.ctx))
	require.Equal(t, 1, b.succeeds(t, id, facts).Attempt)
}

// A controller that dies and comes back costs nothing that is not made good.
func TestMistRestarts(t *testing.T) {
	t.Parallel()
	needsStandIn(t, "crash")
	b := setupOwn(t, func(*devstack.Config) {})
	source, facts := b.source(t, long())
	id := b.submit(t, b.request(t, source))
	b.awaitTranscode(t, id, func(transcode *devstack.Transcode) bool { return transcode.Renditions[0].State == "pushing" })
	require.NoError(t, b.Hosts[0].Kill())
	require.NoError(t, b.Hosts[0].Restart(b.ctx))
	b.succeeds(t, id, facts)
}
