package control

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestGate(t *testing.T) {
	t.Parallel()
	g := &gate{}
	fill := func(receiver string) (leaves []func(heard)) {
		for {
			leave, wait := g.enter("of "+receiver, receiver)
			if leave == nil {
				require.GreaterOrEqual(t, wait, turnAfter)
				return leaves
			}
			leaves = append(leaves, leave)
		}
	}
	hangs := fill("hangs")
	require.Len(t, hangs, gateFirst)
	require.Len(t, fill("other"), gateFirst, "each receiver has its own")
	for _, leave := range hangs {
		leave(silence)
	}
	again := fill("hangs")
	require.Len(t, again, gateSilent, "one looks whether it is back")
	again[0](nothing)
	again = fill("hangs")
	require.Len(t, again, gateSilent, "who was not asked has not answered")
	again[0](answer)
	require.Len(t, fill("hangs"), gateFirst, "it is as any other")

	answers := fill("answers")
	for range 10 {
		answers[0](answer)
		leave, _ := g.enter("of answers", "answers")
		answers[0] = leave
	}
	require.Len(t, fill("answers"), gateMost-gateFirst)
}

// A tenant with many receivers that hang leaves room for others, and so do several such.
func TestGateOfTenants(t *testing.T) {
	t.Parallel()
	g := &gate{}
	fill := func(tenant string) (in int) {
		for i := range 2 * callbackWorkers {
			if leave, _ := g.enter(tenant, fmt.Sprintf("%s-%d", tenant, i)); leave != nil {
				in++
			}
		}
		return in
	}
	require.Equal(t, tenantMost, fill("a"))
	require.Equal(t, tenantMost, fill("b"))
	require.Equal(t, tenantMost, fill("c"))
	for i := range (callbackWorkers - tenantsFirst) / gateFirst {
		require.Equal(t, gateFirst, fill(fmt.Sprint("more-", i)))
	}
	leave, _ := g.enter("alone", "x")
	require.NotNil(t, leave)
	leave(answer)
	require.NotContains(t, g.of, "alone")
}
