package e2e

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"weir/db"
	"weir/internal/devstack"
	"weir/internal/mistsim/broadcaster"
	"weir/jobs"
)

// stalled is the address of a source that begins and never ends.
func stalled(t *testing.T) string {
	t.Helper()
	over := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(1<<20))
		if r.Method == http.MethodHead {
			return
		}
		_, _ = w.Write([]byte("the first bytes"))
		_ = http.NewResponseController(w).Flush()
		select {
		case <-r.Context().Done():
		case <-over:
		}
	}))
	t.Cleanup(func() {
		close(over)
		server.Close()
	})
	return server.URL + "/source.mp4"
}

func atStage(stage string) func(*devstack.Transcode) bool {
	return func(transcode *devstack.Transcode) bool { return transcode.Stage == stage }
}

func TestCancelQueued(t *testing.T) {
	t.Parallel()
	b := setupOwn(t, func(cfg *devstack.Config) {
		cfg.Slots, cfg.Settings = 1, map[string]string{"WEIR_SOURCE_HTTP": "true"}
	})
	req := b.request(t, "")
	req.Source.URL = stalled(t)
	holder := b.submit(t, req)
	b.awaitTranscode(t, holder, atStage("fetch"))
	waiting := b.submit(t, req)
	b.cancels(t, waiting)
	transcode, err := b.API.Transcode(b.ctx, waiting)
	require.NoError(t, err)
	require.Zero(t, transcode.Attempt, "it never had a slot")

	waiting = b.submit(t, b.request(t, b.missing(t)))
	b.cancels(t, holder)
	b.fails(t, waiting, failure{"object_missing", "fetch", "input", false}) // the slot is free again
}

func TestCancelFetching(t *testing.T) {
	t.Parallel()
	b := setup(t)
	req := b.request(t, "")
	req.Source.URL = stalled(t)
	id := b.submit(t, req)
	b.awaitTranscode(t, id, atStage("fetch"))
	b.cancels(t, id)
}

func TestCancelRunning(t *testing.T) {
	t.Parallel()
	b := setup(t)
	gateway := startGateway(t)
	// The first segment comes back, so that there is a push; the others never do.
	require.NoError(t, gateway.SetFaults(broadcaster.Faults{Mode: broadcaster.ModeHang, Match: secondSegment}))
	source, _ := b.source(t, long())
	req := b.request(t, source)
	req.Livepeer = gateway.livepeer()
	id := b.submit(t, req)
	b.awaitTranscode(t, id, func(transcode *devstack.Transcode) bool { return transcode.Renditions[0].State == "pushing" })
	require.NotEmpty(t, b.leftOf(t, id), "there is something to clean up")
	b.cancels(t, id)
}

func TestCancelStoring(t *testing.T) {
	t.Parallel()
	b := setup(t)
	door := b.startDoor(t, ".ts", false)
	source, _ := b.source(t, plain())
	req := b.request(t, source)
	req.Output = door.output(t, b)
	id := b.submit(t, req)
	b.awaitTranscode(t, id, func(transcode *devstack.Transcode) bool { return transcode.State == "storing" })
	b.cancels(t, id)
}

func TestCancelEnded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.submit(t, b.request(t, b.missing(t)))
	b.ends(t, id)
	_, err := b.API.Cancel(b.ctx, id)
	var refused *devstack.StatusError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, http.StatusConflict, refused.Status)
	b.fails(t, id, failure{"object_missing", "fetch", "input", false})
}

// The job of a running transcode is River's row, which anybody may cancel there: another
// job goes on where it was, with the same process.
func TestJobCancelledInRiver(t *testing.T) {
	t.Parallel()
	b := setup(t)
	source, facts := b.source(t, long())
	id := b.submit(t, b.request(t, source))
	b.awaitTranscode(t, id, func(transcode *devstack.Transcode) bool { return transcode.Renditions[0].State == "pushing" })
	process := b.processesOf(t, id)
	was := b.lines(t, "SELECT job_id::text FROM weir.attempts WHERE transcode_id = $1", id)
	job, err := strconv.ParseInt(was[0], 10, 64)
	require.NoError(t, err)
	pool, err := db.Open(b.ctx, string(b.Database), 1)
	require.NoError(t, err)
	defer pool.Close()
	client, err := jobs.NewInserter(pool)
	require.NoError(t, err)
	_, err = client.JobCancel(b.ctx, job)
	require.NoError(t, err)

	transcode := b.succeeds(t, id, facts)
	require.Equal(t, 1, transcode.Attempt)
	require.NotEmpty(t, process)
	require.NotEqual(t, was, b.lines(t, "SELECT job_id::text FROM weir.attempts WHERE transcode_id = $1", id))
	b.nothingLeft(t, id)
}
