package support

import (
	"io/fs"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Each part has a query and each query is a part; none names what is secret.
func TestParts(t *testing.T) {
	t.Parallel()
	files, err := fs.Glob(queries, "queries/*.sql")
	require.NoError(t, err)
	require.Len(t, files, len(Parts()))
	for _, part := range Parts() {
		query, err := part.query()
		require.NoError(t, err)
		require.NotRegexp(t, `SELECT \* FROM weir\.(transcodes|stores|outputs|callbacks|inbox)`, query, part.Name)
		require.NotRegexp(t, `\b(request|metadata|labels|payload|headers|answer|sealed)\b[^_]`, strings.ReplaceAll(query, "keys_sealed IS NOT NULL", ""), part.Name)
	}
}

func TestScrub(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"https://u:p@h/a?b=c#d":                     "https://" + Gone + "@h/a?" + Gone,
		"s3+https://K:S%2F@s3.example:9000/b/k":     "s3+https://" + Gone + "@s3.example:9000/b/k",
		"Authorization: Bearer abc.def":             "Authorization: " + Gone,
		"password=hunter2, next":                    "password=" + Gone + ", next",
		"AKIAABCDEFGHIJKLMNOP":                      Gone, // planted
		"its log ends: disk full":                   "its log ends: disk full",
		"s3://media/out/360p.ts":                    "s3://media/out/360p.ts",
		"connect: connection refused 10.0.0.1:9000": "connect: connection refused 10.0.0.1:9000",
	} {
		require.Equal(t, want, Scrub(text))
	}
}

// Nothing that is planted in a URL's user comes through, whatever stands around it.
func FuzzScrub(f *testing.F) {
	f.Add("see ", " and more")
	f.Fuzz(func(t *testing.T, before, after string) {
		if strings.ContainsAny(after, "\"' ") || strings.Contains(before, "PLANTED") || strings.Contains(after, "PLANTED") {
			return
		}
		require.NotContains(t, Scrub(before+" https://u:PLANTED@host/p?q=PLANTED "+after), "PLANTED")
	})
}
