package mist

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// What is registered is seen to be there, and what is not is named; nothing is written.
func TestHasTriggers(t *testing.T) {
	t.Parallel()
	c, store := setupTriggers(t, "")
	lacks, err := c.HasTriggers(t.Context(), handler, allTriggers())
	require.NoError(t, err)
	require.Equal(t, allTriggers(), lacks)
	_, err = c.RegisterTriggers(t.Context(), handler, allTriggers()[1:], nil)
	require.NoError(t, err)
	lacks, err = c.HasTriggers(t.Context(), handler, allTriggers())
	require.NoError(t, err)
	require.Equal(t, allTriggers()[:1], lacks)
	require.Equal(t, 1, store.writes)
	named, err := (&Engine{Client: c}).Lacks(t.Context(), handler)
	require.NoError(t, err)
	require.Equal(t, []string{string(allTriggers()[0])}, named)
	_, err = c.HasTriggers(t.Context(), "nowhere", allTriggers())
	require.ErrorIs(t, err, ErrInvalid)
}
