package host

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"weir/media"
)

// A push is followed once, until its file goes, or the daemon.
func TestFollows(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte("no video"), 0o600))
		return path
	}
	one, other := file("one.ts"), file("other.ts")
	tools := &media.Tools{}
	var f follows
	require.Nil(t, f.over(one), "nothing follows it")
	require.False(t, f.has(one))

	f.begin(t.Context(), tools, media.Pushed{Path: one}, filepath.Join(dir, "out", "one.ts"))
	f.begin(t.Context(), tools, media.Pushed{Path: other}, filepath.Join(dir, "out", "other.ts"))
	require.True(t, f.has(one))
	first := f.running[one]
	f.begin(t.Context(), tools, media.Pushed{Path: one}, filepath.Join(dir, "out", "one.ts"))
	require.Same(t, first, f.over(one), "it was followed twice")
	require.Nil(t, first.Decoded(t.Context()))
	require.Same(t, first, f.over(one), "a store that is tried again finds it")

	gone := f.running[other]
	f.drop(func(path string) bool { return path == other })
	require.Nil(t, gone.Decoded(t.Context()), "it was not ended with its file")
	require.Nil(t, f.over(other))
	f.begin(t.Context(), tools, media.Pushed{Path: other}, filepath.Join(dir, "out", "other.ts"))
	again := f.over(other)
	require.NotNil(t, again)
	require.NotSame(t, gone, again)

	f.stop()
	f.begin(t.Context(), tools, media.Pushed{Path: one}, filepath.Join(dir, "out", "one.ts"))
	require.Empty(t, f.running)
}
