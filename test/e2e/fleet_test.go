package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"

	"weir/internal/devstack"
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
