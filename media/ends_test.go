package media

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// A file that lacks only its last half second does not pass for whole.
func TestEndsAt(t *testing.T) {
	t.Parallel()
	_, prep := prepared(t, shapes()[0], Options{})
	c, err := loadClock(clockPath(prep))
	require.NoError(t, err)
	whole := returned(c)
	path := filepath.Join(t.TempDir(), "pushed.ts")
	put := func(pictures []picture) bool {
		file := file(t, pictures)
		data := make([]byte, file.Len())
		_, err := file.Read(data)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path, data, 0o600))
		return EndsAt(path, &prep)
	}
	require.True(t, put(whole))
	require.False(t, put(whole[:len(whole)-int(prep.ClockFPS/2)]))
	require.False(t, EndsAt(filepath.Join(t.TempDir(), "none.ts"), &prep))
	require.NoError(t, os.WriteFile(path, []byte("no video"), 0o600))
	require.False(t, EndsAt(path, &prep))
}
