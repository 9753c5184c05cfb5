package host

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"weir/engine"
)

// What all attempts of a host noted is told at once, and once, each by its newest.
func TestProgressGoesTogether(t *testing.T) {
	t.Parallel()
	var p progress
	one, other := engine.Name{Transcode: uuid.New(), Attempt: 1}, engine.Name{Transcode: uuid.New(), Attempt: 2}
	p.ratio(one, 0.1)
	p.ratio(one, 0.2)
	p.ratio(other, 0.3)
	p.push(one, "a", 1000)
	p.push(one, "a", 2000)
	told, some := p.take()
	require.True(t, some)
	require.ElementsMatch(t, []uuid.UUID{one.Transcode, other.Transcode}, told.Transcodes)
	require.ElementsMatch(t, []int32{1, 2}, told.Attempts)
	require.ElementsMatch(t, []float64{0.2, 0.3}, told.Ratios)
	require.Equal(t, []uuid.UUID{one.Transcode}, told.Of)
	require.Equal(t, []string{"a"}, told.Names)
	require.Equal(t, []int64{2000}, told.Pushed)

	_, some = p.take()
	require.False(t, some)
}
