package fleet_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"
	"github.com/stretchr/testify/require"

	"weir/db/dbsqlc"
	"weir/jobs"
	"weir/jobs/doctor"
	"weir/jobs/explain"
	"weir/jobs/fleet"
	"weir/jobs/jobstest"
	"weir/jobs/metrics"
	"weir/jobs/promises"
)

// seen are the places that speak of a host.
func seen(t *testing.T, b *jobstest.Bundle, host string, queued uuid.UUID) []string {
	t.Helper()
	var in []string
	see := func(where string, is bool) {
		if is {
			in = append(in, where)
		}
	}
	see("v_hosts", b.Count(t, "SELECT count(*) FROM weir.v_hosts WHERE id = $1", host) > 0)
	see("v_findings", b.Count(t, "SELECT count(*) FROM weir.v_findings WHERE daemon = $1", host) > 0)
	list, err := dbsqlc.New().HostList(t.Context(), b.Pool) // hosts list, the pages, replays
	require.NoError(t, err)
	for i := range list {
		see("hosts list", list[i].Host.ID == host)
	}
	o, err := fleet.Look(t.Context(), b.Pool)
	require.NoError(t, err)
	for _, h := range o.Hosts {
		see("top", h.ID == host)
	}
	rows, err := explain.Read(t.Context(), b.Pool, queued)
	require.NoError(t, err)
	for i := range rows.Hosts {
		see("explain", rows.Hosts[i].Host.ID == host)
	}
	whole := metrics.New(&metrics.Config{DB: b.Pool, Leads: true, Works: func() bool { return true }})
	answer := httptest.NewRecorder()
	whole.Handler().ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", http.NoBody))
	see("metrics", strings.Contains(answer.Body.String(), `host="`+host+`"`))
	require.Contains(t, answer.Body.String(), `host="`+jobstest.Host+`"`)
	asking, err := (&doctor.Rows{DB: b.Pool, River: b.River}).Ask(t.Context(), "maya", "", doctor.Order{}, time.Minute)
	require.NoError(t, err)
	for _, d := range asking.Daemons {
		see("doctor", d.ID == host)
	}
	found, _ := doctor.Run(t.Context(), doctor.Database, doctor.Order{Only: doctor.Only{string(doctor.RiverStuck)}}, doctor.DatabaseChecks(b.Pool)...)
	for i := range found {
		see("river.stuck", strings.Contains(found[i].Subject, host))
	}
	faults, err := promises.Faults(t.Context(), b.Pool, time.Now().Add(-time.Hour))
	require.NoError(t, err)
	for _, f := range faults {
		see("db check", strings.Contains(f.What, host))
	}
	return in
}

// TestForgottenIsNowhere: a host that was forgotten is in no list and in no count, whoever
// makes it, and nothing waits for it.
func TestForgottenIsNowhere(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	const gone = "gone-1"
	b.Boot(t, gone, 4)
	queued := b.Accept(t, "a").ID
	b.Exec(t, "UPDATE weir.hosts SET draining = true, drained_at = now(), drained_by = 'jo', drain_reason = 'r' WHERE id = $1", jobstest.Host)
	says := func() string {
		rows, err := explain.Read(t.Context(), b.Pool, queued)
		require.NoError(t, err)
		e := explain.Of(rows)
		return e.Says + " " + strings.Join(e.Waits, " ")
	}
	b.Dies(t, gone)
	b.Exec(t, "UPDATE weir.hosts SET lease_until = now() - interval '2 hours' WHERE id = $1", gone)
	require.Contains(t, says(), "0 of 2 hosts")
	// An attempt that it has still to clean up behind, a job that nobody fetches, and what it
	// found last.
	ended := b.Accept(t, "b").ID
	_, err := b.Transcodes.Cancel(t.Context(), "", ended)
	require.NoError(t, err)
	b.Exec(t, "INSERT INTO weir.attempts (transcode_id, number, host_id, outcome, ended_at) VALUES ($1, 1, $2, 'cancelled', now())", ended, gone)
	for _, queue := range []string{jobs.HostQueue(gone), jobs.StoreQueue(gone)} {
		job, err := b.River.Insert(t.Context(), jobs.ExamineArgs{Daemon: gone}, &river.InsertOpts{Queue: queue})
		require.NoError(t, err)
		b.Exec(t, "UPDATE weir.river_job SET scheduled_at = now() - interval '1 hour' WHERE id = $1", job.Job.ID)
	}
	b.Exec(t, "INSERT INTO weir.findings (daemon, code, subject, verdict, evidence, mend, took_ms) VALUES ($1, 'mist.api', '', 'fail', 'refused', 'start it', 1)", gone)
	require.ElementsMatch(t, []string{
		"v_hosts", "v_findings", "hosts list", "top", "explain", "metrics", "doctor", "river.stuck", "river.stuck", "db check",
	}, seen(t, b, gone, queued), "else it would be missed nowhere")

	hosts := &jobs.Hosts{DB: b.Pool, River: b.River}
	_, err = hosts.Forget(t.Context(), gone)
	require.NoError(t, err)
	require.Empty(t, seen(t, b, gone, queued))
	require.Contains(t, says(), "0 of 1 host: ")
	require.ErrorIs(t, hosts.Drain(t.Context(), gone, "jo", "r"), jobs.ErrNoHost)
	require.Zero(t, b.Count(t, "SELECT count(*) FROM weir.river_job WHERE queue LIKE 'host-gone%' AND finalized_at IS NULL"))

	b.Boot(t, gone, 4)
	require.Contains(t, seen(t, b, gone, queued), "v_hosts", "it came back")
}
