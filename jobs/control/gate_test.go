package control

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestGate(t *testing.T) {
	t.Parallel()
	g := &gate{}
	fill := func(receiver string) (leaves []func(heard)) {
		for {
			leave, wait := g.enter(receiver)
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
		leave, _ := g.enter("answers")
		answers[0] = leave
	}
	require.Len(t, fill("answers"), gateMost-gateFirst)
}
