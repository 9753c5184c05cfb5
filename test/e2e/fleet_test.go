package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"

	"weir/internal/devstack"
	"weir/internal/mistsim/broadcaster"
)

func TestTwoHostsShareTheLoad(t *testing.T) {
	t.Parallel()
	needsStandIn(t, "be two of them")
	b := setupOwn(t, func(cfg *devstack.Config) { cfg.Hosts, cfg.Slots = 2, 1 })
	source, facts := b.source(t, long())
	ids := []string{b.submit(t, b.request(t, source)), b.submit(t, b.request(t, source))}
	hosts := map[string]bool{}
	for _, id := range ids {
		hosts[b.succeeds(t, id, facts).Host] = true
	}
	require.Len(t, hosts, 2)
}

// A host that is drained ends what it has and takes no more.
func TestDrain(t *testing.T) {
	t.Parallel()
	needsStandIn(t, "be two of them")
	b := setupOwn(t, func(cfg *devstack.Config) { cfg.Hosts, cfg.Slots = 2, 2 })
	gateway := startGateway(t)
	require.NoError(t, gateway.SetFaults(broadcaster.Faults{Mode: broadcaster.ModeHang, Match: secondSegment}))
	source, facts := b.source(t, long())
	req := b.request(t, source)
	req.Livepeer = gateway.livepeer()
	running := b.submit(t, req)
	host := b.awaitTranscode(t, running, func(transcode *devstack.Transcode) bool { return transcode.Renditions[0].State == "pushing" }).Host

	b.admin(t, "hosts", "drain", host)
	later := b.submit(t, b.request(t, source))
	placed := b.awaitTranscode(t, later, func(transcode *devstack.Transcode) bool { return transcode.Host != "" })
	require.NotEqual(t, host, placed.Host)
	require.NoError(t, gateway.SetFaults(calm())) // Mist waits for a segment for some seconds only
	transcode := b.succeeds(t, running, facts)
	require.Equal(t, 1, transcode.Attempt)
	require.Equal(t, host, transcode.Host)
	b.succeeds(t, later, facts)

	other := map[string]string{"host-1": "host-2", "host-2": "host-1"}[host]
	b.admin(t, "hosts", "drain", other)
	b.admin(t, "hosts", "resume", host)
	require.Equal(t, host, b.succeeds(t, b.submit(t, b.request(t, source)), facts).Host)
}
