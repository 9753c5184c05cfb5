package secret

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// shown is v in every way that something can be printed.
func shown(v any) string {
	var b strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%t"} {
		fmt.Fprintf(&b, verb+"\n", v)
		fmt.Fprintf(&b, verb+"\n", struct{ V any }{v})
		fmt.Fprintf(&b, verb+"\n", []any{v, &v})
	}
	slog.New(slog.NewTextHandler(&b, nil)).Info("text", "v", v)
	slog.New(slog.NewJSONHandler(&b, nil)).Info("json", "v", v)
	encoded, err := json.Marshal(v)
	fmt.Fprintln(&b, string(encoded), err)
	return b.String()
}

func requireHidden(t *testing.T, v any, hidden string) {
	t.Helper()
	text := shown(v)
	require.NotContains(t, text, hidden)
	require.NotContains(t, text, fmt.Sprintf("%x", hidden))
}

func TestSecretNeverShows(t *testing.T) {
	t.Parallel()
	s := Secret("hunter2")
	requireHidden(t, s, "hunter2")
	requireHidden(t, struct{ Password Secret }{s}, "hunter2")
	text, err := s.MarshalText()
	require.NoError(t, err)
	for _, said := range []string{shown(s), string(text), s.String(), s.GoString(), s.LogValue().String()} {
		require.Contains(t, said, Redacted)
	}
	require.Equal(t, "hunter2", string(s))
}
