package jobs

import (
	"testing"

	"github.com/stretchr/testify/require"

	"weir/db/dbsqlc"
)

func TestWarningsOfARow(t *testing.T) {
	t.Parallel()
	none, err := WarningsOf(&dbsqlc.Transcode{})
	require.NoError(t, err)
	require.Empty(t, none)
	_, err = WarningsOf(&dbsqlc.Transcode{Warnings: []byte(`{}`)})
	require.Error(t, err)
}
