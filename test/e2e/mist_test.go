package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"

	"weir/internal/devstack"
	"weir/mist/mistsim/broadcaster"
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

func TestPushesFail(t *testing.T) {
	t.Parallel()
	needsStandIn(t, "start no push")
	b := setupOwn(t, func(*devstack.Config) {})
	require.NoError(t, b.Hosts[0].Faults(b.ctx, `{"ignore_pushes":true}`))
	source, _ := b.source(t, plain())
	id := b.submit(t, b.request(t, source))
	b.fails(t, id, failure{"push_failed", "push", "host", true})
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
