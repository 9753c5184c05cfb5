package redis_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"weir/internal/devstack/redis"
)

// A machine without a Redis is told what mends it.
func TestMissing(t *testing.T) {
	t.Setenv("PATH", "")
	_, err := redis.Start(t.Context(), &redis.Config{Dir: t.TempDir()})
	require.ErrorIs(t, err, redis.ErrMissing)
	require.ErrorContains(t, err, "tools/setup.sh redis")
}
