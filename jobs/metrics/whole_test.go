package metrics

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/expfmt"
	"github.com/stretchr/testify/require"

	"weir/jobs"
	"weir/jobs/jobstest"
)

// told are the samples of a metric.
func told(t *testing.T, w *whole, name string) string {
	t.Helper()
	w.at = time.Time{} // read anew
	text, err := testutil.CollectAndFormat(w, expfmt.TypeTextPlain, name)
	require.NoError(t, err)
	var lines []string
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "#") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return strings.Join(lines, "\n")
}

// What the rows say is told: the queue, what has happened since, and what is wrong.
func TestWhole(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	w := newWhole(&Config{DB: b.Pool, Keep: map[string]time.Duration{"transcodes": 24 * time.Hour}, Findings: nil})
	require.Equal(t, "weir_rows_readable 1", told(t, w, "weir_rows_readable"))
	require.Empty(t, told(t, w, "weir_transcodes_total"), "it counts from now on")

	run := b.Run(t, "a")
	require.Contains(t, told(t, w, "weir_transcodes_total"), fmt.Sprintf(`weir_transcodes_total{tenant="%s",what="accepted"} 1`, run.Tenant))
	require.Contains(t, told(t, w, "weir_slots"), `state="used"} 1`)
	require.Equal(t, "weir_callbacks_pending 0", told(t, w, "weir_callbacks_pending"))
	require.Equal(t, "weir_placement_paused 0", told(t, w, "weir_placement_paused"))
	require.NoError(t, b.Store(t.Context(), &run, "a"))
	require.Contains(t, told(t, w, "weir_transcodes_total"), `what="succeeded"} 1`)
	require.Equal(t, "weir_callbacks_pending 1", told(t, w, "weir_callbacks_pending"))

	again := b.Run(t, "a")
	b.Fail(t, again.ID, again.Attempt, "a", jobs.Failed(jobs.CodeProcessFailed, jobs.StageTranscode, "it ended"))
	require.Equal(t, `weir_failures_total{blame="`+string(jobs.KindOf(jobs.CodeProcessFailed).Blame)+`",code="process_failed",follows="retry"} 1`,
		told(t, w, "weir_failures_total"))
	require.Contains(t, told(t, w, "weir_queue_waiting"), `class="ordinary",tenant="`+again.Tenant+`"} 1`)

	b.Exec(t, "UPDATE weir.transcodes SET finished_at = now() - interval '3 days' WHERE id = $1", run.ID)
	require.Regexp(t, `weir_history_overdue_seconds\{history="transcodes"\} 172\d{3}`, told(t, w, "weir_history_overdue_seconds"))

	b.Pool.Close()
	require.Equal(t, "weir_rows_readable 0", told(t, w, "weir_rows_readable"))
	require.Contains(t, told(t, w, "weir_transcodes_total"), `what="succeeded"} 1`, "what was counted stays")
}

// The tenants with the longest queues have names, the others are one.
func TestShown(t *testing.T) {
	t.Parallel()
	var list []waits
	for i := range 2 * tenantsShown {
		list = append(list, waits{fmt.Sprintf("t%03d", i), "ordinary", int64(i), float64(i)})
	}
	all := shown(list)
	require.Len(t, all, tenantsShown+1)
	require.Contains(t, all, waits{other, "ordinary", tenantsShown * (tenantsShown - 1) / 2, tenantsShown - 1})
	require.Contains(t, all, waits{"t099", "ordinary", 99, 99})
}

// A finding is told where daemons look; one that can't be read says so.
func TestFindings(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	found := []Finding{{"store.put", "mist-1", "failed"}, {"store.put", "mist-1", "failed"}}
	var broken error
	w := newWhole(&Config{DB: b.Pool, Findings: func(context.Context) ([]Finding, error) { return found, broken }})
	require.Equal(t, `weir_doctor_findings{check="store.put",host="mist-1",status="failed"} 2`, told(t, w, "weir_doctor_findings"))
	broken = errors.New("no rows")
	require.Equal(t, "weir_rows_readable 0", told(t, w, "weir_rows_readable"))
}
