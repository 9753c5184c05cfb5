package control

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertest"
	"github.com/riverqueue/river/rivertype"
	"github.com/stretchr/testify/require"
	"golang.org/x/time/rate"

	"weir/db/dbsqlc"
	"weir/jobs"
	"weir/jobs/jobstest"
	"weir/storage/dial/dialtest"
	"weir/studio"
)

// aWhile bounds what a test waits for; nothing is measured by it.
const aWhile = 30 * time.Second

// lookEvery is how often a test looks whether something has come about.
const lookEvery = 10 * time.Millisecond

// receiverOf is a receiver that tells of each message's status, and then answers as said.
func receiverOf(t *testing.T, heard chan<- string, answer func(status string) int) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var message struct {
			Status string `json:"status"`
		}
		body, _ := io.ReadAll(r.Body)
		_ = json.Unmarshal(body, &message)
		heard <- message.Status
		w.WriteHeader(answer(message.Status))
	}))
	t.Cleanup(server.Close)
	return server.URL + "/cb"
}

// hanging is a receiver that answers nobody before the test ends.
func hanging(t *testing.T, heard chan<- string) string {
	t.Helper()
	over := make(chan struct{})
	url := receiverOf(t, heard, func(string) int { <-over; return http.StatusOK })
	t.Cleanup(func() { close(over) })
	return url
}

func takes(string) int { return http.StatusOK }

// studioOf delivers, and waits for an answer for longer than any test lasts.
func studioOf(t *testing.T) *studio.Client {
	t.Helper()
	client := studio.New(&studio.Config{Timeout: 2 * aWhile, Guard: dialtest.Loopback()})
	t.Cleanup(client.Close)
	return client
}

func told(t *testing.T, heard <-chan string) string {
	t.Helper()
	select {
	case status := <-heard:
		return status
	case <-time.After(aWhile):
		require.Fail(t, "nothing was heard")
		return ""
	}
}

func requestTo(url string) *jobs.Request {
	req := jobstest.MakeRequest("", "a")
	req.CallbackURL, req.CallbackShown = url, url
	return req
}

func succeeded(t *testing.T, b *jobstest.Bundle, url string) dbsqlc.Transcode {
	t.Helper()
	transcode := b.RunRequest(t, requestTo(url))
	require.NoError(t, b.Store(t.Context(), &transcode, "a"))
	return b.Get(t, transcode.ID)
}

// workCallback works a transcode's newest callback job, as River would.
func workCallback(t *testing.T, b *jobstest.Bundle, id uuid.UUID) error {
	t.Helper()
	return workCallbackBy(t, b, id, studioOf(t))
}

func workCallbackBy(t *testing.T, b *jobstest.Bundle, id uuid.UUID, client *studio.Client) error {
	t.Helper()
	job := &river.Job[jobs.CallbackArgs]{JobRow: &rivertype.JobRow{State: rivertype.JobStateRunning, CreatedAt: time.Now()}}
	var args []byte
	require.NoError(t, b.Pool.QueryRow(t.Context(), `UPDATE weir.river_job SET state = 'running', attempt = 1, attempted_at = now()
		WHERE id = (SELECT max(j.id) FROM weir.river_job j JOIN weir.callbacks c ON c.id::text = j.args->>'callback_id'
		             WHERE j.kind = 'callback' AND c.transcode_id = $1) RETURNING id, args`, id).Scan(&job.ID, &args))
	require.NoError(t, json.Unmarshal(args, &job.Args))
	worker := &callbackWorker{db: b.Pool, sealer: b.Sealer, studio: client, log: jobstest.Silent()}
	return worker.Work(rivertest.WorkContext(t.Context(), b.River), job)
}

func callbackState(t *testing.T, b *jobstest.Bundle, id uuid.UUID, run int) (state string) {
	t.Helper()
	require.NoError(t, b.Pool.QueryRow(t.Context(), "SELECT state FROM weir.callbacks WHERE transcode_id = $1 AND run = $2", id, run).Scan(&state))
	return state
}

func tellerOf(t *testing.T, b *jobstest.Bundle) *teller {
	t.Helper()
	tell := newTeller(&Control{DB: b.Pool, Sealer: b.Sealer, Studio: studioOf(t), Log: jobstest.Silent()})
	t.Cleanup(func() { _ = tell.lanes.Wait() })
	return tell
}

// Eighty events to a receiver that hangs: another one's arrives while they do.
func TestCallbacksPastAHangingReceiver(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	b.Exec(t, "UPDATE weir.hosts SET slots = 1000")
	const events = 80
	hung, heard := make(chan string, events), make(chan string, 1)
	hangs := hanging(t, hung)
	for range events {
		succeeded(t, b, hangs)
	}
	succeeded(t, b, receiverOf(t, heard, takes))
	control := &Control{DB: b.Pool, Sealer: b.Sealer, Studio: studioOf(t), Log: jobstest.Silent()}
	client, err := jobs.NewClient(&jobs.Config{DB: b.Pool, Log: jobstest.Silent(), HostID: "leads", BootID: uuid.New()}, control.Room)
	require.NoError(t, err)
	require.NoError(t, client.Start(t.Context()))
	defer func() { require.NoError(t, client.StopAndCancel(context.WithoutCancel(t.Context()))) }()
	require.Equal(t, "success", told(t, heard))
	require.LessOrEqual(t, len(hung), gateFirst)
}

// Statuses of a receiver that hangs hold up nobody else's, and are not marked as sent.
func TestStatusesPastAHangingReceiver(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	const silent = 40
	hung, heard := make(chan string, silent), make(chan string, 2*statusAtOnce)
	hangs, answers := hanging(t, hung), receiverOf(t, heard, takes)
	for range silent {
		b.AcceptRequest(t, requestTo(hangs))
	}
	for range statusAtOnce {
		b.AcceptRequest(t, requestTo(answers))
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	tell := tellerOf(t, b)
	require.NoError(t, tell.round(ctx))
	for range statusAtOnce {
		require.Equal(t, "preparing", told(t, heard))
	}
	require.NoError(t, tell.round(ctx)) // a second one does not wait for it either
	told(t, hung)
	require.Empty(t, hung, "one looks whether it answers")
	require.Equal(t, silent, b.Count(t, "SELECT count(*) FROM weir.transcodes WHERE callback_url = $1 AND status_sent_at IS NULL", hangs))
	require.Equal(t, 1, b.Count(t, "SELECT count(*) FROM weir.transcodes WHERE telling_until > now() AND callback_url = $1", hangs))
}

// A tenant whose receivers hang, many of them, holds a part of the places alone; and one
// that hangs for a tenant answers another of the same server.
func TestStatusesPastATenant(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	const receivers = statusTenant + 6
	hung, heard := make(chan string, receivers), make(chan string, 1)
	over := make(chan struct{})
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "0.0.0.0:0")
	require.NoError(t, err)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/answers" {
			heard <- "studio"
			return
		}
		hung <- r.Host
		<-over
	}))
	require.NoError(t, server.Listener.Close())
	server.Listener = listener
	server.Start()
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(over) })
	port := listener.Addr().(*net.TCPAddr).Port
	for i := range receivers {
		req := requestTo(fmt.Sprintf("http://127.0.1.%d:%d/hangs", i+1, port))
		req.Tenant = "greedy"
		b.AcceptRequest(t, req)
	}
	b.AcceptRequest(t, requestTo(fmt.Sprintf("http://127.0.1.1:%d/answers", port)))
	tell := tellerOf(t, b)
	require.NoError(t, tell.round(t.Context()))
	require.Equal(t, "studio", told(t, heard))
	for range statusTenant {
		told(t, hung)
	}
	require.NoError(t, tell.round(t.Context()))
	require.Equal(t, statusTenant, tell.of["greedy"])
	require.Empty(t, hung)
}

// Receivers have one rate together; who is not reached is due still.
func TestStatusesHaveARate(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	const receivers, each, most = 2, 20, 1 + statusClaim
	heard := make(chan string, 2*receivers*each)
	for range receivers {
		url := receiverOf(t, heard, takes)
		for range each {
			b.AcceptRequest(t, requestTo(url))
		}
	}
	tell := tellerOf(t, b)
	tell.rate = rate.NewLimiter(rate.Every(time.Hour), most) // and no more for the whole test
	limited, stop := context.WithCancel(t.Context())
	require.NoError(t, tell.round(limited))
	require.Eventually(t, func() bool { return tell.rate.Tokens() < 0 }, aWhile, time.Millisecond, "somebody waits for the rate")
	stop()
	require.NoError(t, tell.lanes.Wait())
	sent := len(heard)
	require.Positive(t, sent)
	require.LessOrEqual(t, sent, most)

	b.Exec(t, "UPDATE weir.transcodes SET telling_until = NULL") // of one that was on its way
	tell.rate = rate.NewLimiter(rate.Inf, 0)
	require.NoError(t, tell.round(t.Context()))
	require.NoError(t, tell.lanes.Wait())
	require.Equal(t, receivers*each, b.Count(t, "SELECT count(*) FROM weir.transcodes WHERE status_sent_at IS NOT NULL"))
}

// A status that is on its way holds the terminal callback back; none goes behind it.
func TestStatusNeverBehindTheEnd(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	heard, goOn := make(chan string, 2), make(chan struct{})
	url := receiverOf(t, heard, func(status string) int {
		if status != "success" {
			<-goOn
		}
		return http.StatusOK
	})
	transcode := b.RunRequest(t, requestTo(url))
	tell := tellerOf(t, b)
	sent := make(chan error, 1)
	go func() {
		err := tell.lane(t.Context(), []uuid.UUID{transcode.ID})
		sent <- err
	}()
	require.Equal(t, "preparing", told(t, heard))
	require.NoError(t, b.Store(t.Context(), &transcode, "a"))
	var snooze *river.JobSnoozeError
	require.ErrorAs(t, workCallback(t, b, transcode.ID), &snooze)
	require.Empty(t, heard, "the status is not answered yet")
	close(goOn)
	require.NoError(t, <-sent)
	require.NoError(t, workCallback(t, b, transcode.ID))
	require.Equal(t, "success", told(t, heard))

	// One that was found due before the end.
	b.Exec(t, "UPDATE weir.transcodes SET status_sent_at = NULL")
	err := tell.lane(t.Context(), []uuid.UUID{transcode.ID})
	require.NoError(t, err)
	require.Empty(t, heard)
}

// A callback that meets a status which is soon over waits for it, and not for River's next look at
// jobs that were put off.
func TestCallbackWaitsForAStatus(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	heard := make(chan string, 1)
	transcode := b.RunRequest(t, requestTo(receiverOf(t, heard, takes)))
	require.NoError(t, b.Store(t.Context(), &transcode, "a"))
	b.Exec(t, "UPDATE weir.transcodes SET telling_until = now() + interval '100 ms'")
	require.NoError(t, workCallback(t, b, transcode.ID))
	require.Equal(t, "success", told(t, heard))
}

// What a run has not delivered goes out no more once an operator has begun another.
func TestSupersededCallback(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	heard := make(chan string, 2)
	failed := func(url string) dbsqlc.Transcode {
		transcode := b.RunRequest(t, requestTo(url))
		b.Fail(t, transcode.ID, transcode.Attempt, "a", jobs.Failed("s3_bucket_missing", jobs.StageStore, ""))
		return b.Get(t, transcode.ID)
	}
	retry := func(id uuid.UUID) {
		_, err := b.Transcodes.Retry(t.Context(), id)
		require.NoError(t, err)
	}
	transcode := failed(receiverOf(t, heard, takes))
	retry(transcode.ID)
	require.Equal(t, jobs.CallbackSuperseded, callbackState(t, b, transcode.ID, 1))
	require.NoError(t, workCallback(t, b, transcode.ID))
	require.Empty(t, heard)
	var event uuid.UUID
	require.NoError(t, b.Pool.QueryRow(t.Context(), "SELECT id FROM weir.callbacks").Scan(&event))
	require.ErrorIs(t, b.Callbacks.Redeliver(t.Context(), event), jobs.ErrSuperseded)
	require.NoError(t, controlOf(b).repairCallbacks(t.Context(), b.River, well()))
	require.Zero(t, b.Count(t, "SELECT count(*) FROM weir.river_job WHERE kind = 'callback' AND state = 'available'"))

	// The retry comes while it is on its way: recorded, and not tried again.
	var during dbsqlc.Transcode
	during = failed(receiverOf(t, heard, func(string) int { retry(during.ID); return http.StatusBadGateway }))
	require.NoError(t, workCallback(t, b, during.ID))
	require.Equal(t, "error", told(t, heard))
	require.Equal(t, jobs.CallbackSuperseded, callbackState(t, b, during.ID, 1))
	require.Equal(t, 1, b.Count(t, "SELECT count(*) FROM weir.callback_attempts"))

	// An operator's redelivery that waited when the retry came.
	refused := failed(receiverOf(t, heard, func(string) int { return http.StatusGone }))
	require.NoError(t, workCallback(t, b, refused.ID))
	require.Equal(t, "error", told(t, heard))
	require.NoError(t, b.Pool.QueryRow(t.Context(), "SELECT id FROM weir.callbacks WHERE transcode_id = $1", refused.ID).Scan(&event))
	require.NoError(t, b.Callbacks.Redeliver(t.Context(), event))
	retry(refused.ID)
	require.NoError(t, workCallback(t, b, refused.ID))
	require.Empty(t, heard)
}
