package main

import (
	"encoding/base64"
	"testing"

	"github.com/stretchr/testify/require"

	"weir/secret"
)

func text(key secret.Key) string { return base64.StdEncoding.EncodeToString(key[:]) }

func TestSealRotate(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.accept(t, "studio", "a")
	former, newest := secret.Key{1}, secret.Key{2}
	seal := func(keys string, args ...string) result {
		return command(t.Context(), []string{databaseEnv + "=" + b.url, keysEnv + "=" + keys}, append([]string{"seal"}, args...)...)
	}
	both := text(newest) + "," + text(former)

	r := seal(both, "status", "--json")
	require.Equal(t, exitOK, r.code, r.stderr)
	require.Contains(t, r.stdout, `"left": 1`)
	r = seal(text(newest), "rotate")
	require.Equal(t, exitFailed, r.code)
	require.Contains(t, r.stderr, "3 values can't be opened")
	r = seal(both, "rotate")
	require.Equal(t, exitOK, r.code, r.stderr)
	require.Contains(t, r.stdout, "transcodes.source_sealed: 1 sealed anew, 0 left")
	r = seal(text(newest), "rotate")
	require.Equal(t, exitOK, r.code, r.stderr)

	for _, keys := range []string{"", "short"} {
		r = seal(keys, "rotate")
		require.Equal(t, exitFailed, r.code)
		require.Contains(t, r.stderr, keysEnv)
	}
	r = seal(both, "rotate", text(former))
	require.Equal(t, exitUsage, r.code, "keys are no arguments")
}
