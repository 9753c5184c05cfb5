package control

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"weir/db/dbsqlc"
	"weir/jobs"
	"weir/jobs/jobstest"
)

// A status that is refused for good is the last one of its run: not of the transcode, and
// not the end's.
func TestStatusesRefusedForGood(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	heard := make(chan string, 1)
	answers := map[string]int{"preparing": http.StatusNotFound, "error": http.StatusOK}
	url := receiverOf(t, heard, func(status string) int { return answers[status] })
	transcode := b.RunRequest(t, requestTo(url))
	tell := tellerOf(t, b)
	due := func() bool {
		rows, err := dbsqlc.New().TranscodeStatusDue(t.Context(), b.Pool, dbsqlc.TranscodeStatusDueParams{AfterSeconds: 0, PageSize: 10, Busy: []string{}})
		require.NoError(t, err)
		return slices.ContainsFunc(rows, func(r dbsqlc.TranscodeStatusDueRow) bool { return r.ID == transcode.ID })
	}
	send := func() {
		b.Exec(t, "UPDATE weir.transcodes SET status_sent_at = NULL")
		err := tell.lane(t.Context(), []uuid.UUID{transcode.ID})
		require.NoError(t, err)
	}
	answers["preparing"] = http.StatusServiceUnavailable // not for good
	send()
	require.Equal(t, "preparing", told(t, heard))
	require.True(t, due())
	answers["preparing"] = http.StatusUnprocessableEntity
	send()
	require.Equal(t, "preparing", told(t, heard))
	require.False(t, due())
	send() // one that was found due before
	require.Empty(t, heard)

	b.Fail(t, transcode.ID, transcode.Attempt, "a", jobs.Failed("s3_bucket_missing", jobs.StageStore, ""))
	require.NoError(t, workCallback(t, b, transcode.ID))
	require.Equal(t, "error", told(t, heard))
	_, err := b.Transcodes.Retry(t.Context(), transcode.ID)
	require.NoError(t, err)
	require.True(t, due(), "the next run is told again")
}

// missedOf is a receiver that tells of each message which events it names as missed.
func missedOf(t *testing.T, status *int) (url string, heard chan []uuid.UUID) {
	t.Helper()
	heard = make(chan []uuid.UUID, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var message struct {
			Missed []uuid.UUID `json:"missed"`
		}
		body, _ := io.ReadAll(r.Body)
		_ = json.Unmarshal(body, &message)
		w.WriteHeader(*status)
		heard <- message.Missed
	}))
	t.Cleanup(server.Close)
	return server.URL, heard
}

// What expired is told by the tenant's next message that is delivered, once; of another
// tenant's by none.
func TestMissed(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	b.Exec(t, "UPDATE weir.hosts SET slots = 100")
	status := http.StatusServiceUnavailable
	url, heard := missedOf(t, &status)
	tell := tellerOf(t, b)
	expire := func() (event uuid.UUID) {
		t.Helper()
		transcode := succeeded(t, b, url)
		require.NoError(t, b.Pool.QueryRow(t.Context(), "UPDATE weir.callbacks SET state = 'expired' WHERE transcode_id = $1 RETURNING id", transcode.ID).Scan(&event))
		return event
	}
	send := func(tenant string) {
		t.Helper()
		req := requestTo(url)
		req.Tenant = tenant
		err := tell.lane(t.Context(), []uuid.UUID{b.AcceptRequest(t, req).ID})
		require.NoError(t, err)
	}
	first, second := expire(), expire()

	send("studio")
	require.Equal(t, []uuid.UUID{first, second}, <-heard, "the receiver did not take it")
	status = http.StatusOK
	send("other")
	require.Empty(t, <-heard, "not its own")
	send("studio")
	require.Equal(t, []uuid.UUID{first, second}, <-heard)
	send("studio")
	require.Empty(t, <-heard, "it was told")

	// By an event, whose body names the same in each delivery.
	third := expire()
	end := succeeded(t, b, url)
	status = http.StatusServiceUnavailable
	require.Error(t, workCallback(t, b, end.ID), "snoozed")
	require.Equal(t, []uuid.UUID{third}, <-heard)
	require.Equal(t, 1, b.Count(t, "SELECT count(*) FROM weir.missed_events"))
	status = http.StatusOK
	b.Exec(t, "UPDATE weir.river_job SET state = 'available' WHERE kind = 'callback'")
	require.NoError(t, workCallback(t, b, end.ID))
	require.Equal(t, []uuid.UUID{third}, <-heard)
	require.Zero(t, b.Count(t, "SELECT count(*) FROM weir.missed_events"))

	// One that is sent again, and taken, is missed no more; a message holds so many.
	fourth := expire()
	b.Exec(t, "UPDATE weir.callbacks SET state = 'delivered', delivered_at = now() WHERE id = $1", fourth)
	send("studio")
	require.Empty(t, <-heard)
	b.Exec(t, `INSERT INTO weir.missed_events (event_id, transcode_id, tenant)
		SELECT gen_random_uuid(), $1, 'studio' FROM generate_series(1, 70)`, end.ID)
	send("studio")
	require.Len(t, <-heard, 50)
	send("studio")
	require.Len(t, <-heard, 20)
}
