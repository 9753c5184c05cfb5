package studio

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestBackoff(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]time.Duration{
		-1: time.Second, 0: time.Second, 1: time.Second, 2: 2 * time.Second, 3: 4 * time.Second,
		12: 2048 * time.Second, 13: time.Hour, 1 << 30: time.Hour,
	} {
		require.Equal(t, want, Backoff(n, 0), "attempt %d", n)
		require.Equal(t, max(want/2, time.Second), Backoff(n, 1), "attempt %d", n)
	}
	random := rand.New(rand.NewPCG(1, 2))
	total, attempts := time.Duration(0), 0
	for ; total < GiveUpAfter; attempts++ {
		total += Backoff(attempts+1, random.Float64())
	}
	require.Greater(t, attempts, 24, "a day holds enough attempts to meet a receiver that is up for an hour")
	require.Less(t, attempts, 70)
}
