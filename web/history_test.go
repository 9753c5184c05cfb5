package web

import (
	"html"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	// pageMost is what a page may take behind a million that have ended.
	pageMost = 100 * time.Millisecond
	// tries: what the machine does beside it is not the page's; the best one counts.
	tries = 15
)

// However many have ended, no page is slow, and what is not counted to its end says so.
func TestHistory(t *testing.T) {
	t.Parallel()
	b := setup(t)
	history, err := os.ReadFile("testdata/million.sql")
	require.NoError(t, err)
	_, err = b.Pool.Exec(t.Context(), string(history))
	require.NoError(t, err)
	b.Exec(t, "VACUUM weir.transcodes, weir.callbacks") // as the daemon's servers do by themselves
	v := b.logged(t, olga, b.operator)
	const ended, failed = "/transcodes/00000000-0000-7000-8000-000000000007", "/transcodes/00000000-0000-7000-8000-000000000032"
	for path, words := range map[string]string{
		"/": "10,000+", "/transcodes": "Older ones", "/transcodes?q=request-500000": "request-500000", "/transcodes?q=state:failed": "internal",
		"/transcodes?q=tenant:tenant-3+state:failed": "tenant-3", "/transcodes?q=host:mist-1+tenant:tenant-3": "tenant-3", "/transcodes?q=age%3E20d": "Older ones",
		ended: "succeeded", failed: "internal", "/hosts": "mist-1", "/tenants": "tenant-7", "/actions": "target-50",
	} {
		best := time.Hour
		for range tries {
			began := time.Now()
			answer, body := v.get(t, path)
			best = min(best, time.Since(began))
			require.Equal(t, http.StatusOK, answer.StatusCode, path)
			require.Contains(t, html.UnescapeString(body), words, path)
		}
		t.Logf("%-50s %s", path, best.Round(100*time.Microsecond))
		require.Less(t, best, pageMost, path)
	}
}
