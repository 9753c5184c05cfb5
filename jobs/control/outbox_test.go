package control

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"weir/jobs"
	"weir/jobs/jobstest"
	"weir/jobs/receivers"
	"weir/secret"
	"weir/storage/dial/dialtest"
	"weir/studio"
)

// toldEvent is what a subscriber reads of a message.
type toldEvent struct {
	Type    string    `json:"type"`
	EventID uuid.UUID `json:"event_id"`
	Data    struct {
		Transcode struct {
			ID uuid.UUID `json:"id"`
		} `json:"transcode"`
		Rendition string `json:"rendition"`
	} `json:"data"`
	header http.Header
	body   []byte
}

// subscriber takes events, and answers as status says.
func subscriber(t *testing.T, status func() int) (url string, heard chan toldEvent) {
	t.Helper()
	heard = make(chan toldEvent, 64)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var e toldEvent
		e.header = r.Header
		e.body, _ = io.ReadAll(r.Body)
		_ = json.Unmarshal(e.body, &e)
		heard <- e
		w.WriteHeader(status())
	}))
	t.Cleanup(server.Close)
	return server.URL + "/events", heard
}

func subscription(url string, types ...string) *jobs.Request {
	req := requestTo("http://127.0.0.1:9/cb")
	req.Events, req.EventsURL, req.EventsShown = types, url, url
	return req
}

func outboxOf(t *testing.T, b *jobstest.Bundle, client *studio.Client) *outbox {
	t.Helper()
	o := newOutbox(&Control{DB: b.Pool, Sealer: b.Sealer, Studio: client, Log: jobstest.Silent()})
	t.Cleanup(func() { _ = o.lanes.Wait() })
	return o
}

// all lets a round come to its end.
func (o *outbox) all(ctx context.Context, t *testing.T) {
	t.Helper()
	require.NoError(t, o.round(ctx))
	require.NoError(t, o.lanes.Wait())
}

// What was subscribed to is told, and nothing else, signed; each once.
func TestSubscription(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	url, heard := subscriber(t, func() int { return http.StatusOK })
	req := subscription(url, "transcode.started", "rendition.ready", "transcode.succeeded")
	req.CallbackSecret = receivers.NewSecret()
	transcode := b.RunRequest(t, req)
	require.NoError(t, b.Store(t.Context(), &transcode, "a"))
	b.RunRequest(t, requestTo(url)) // has asked for none
	outboxOf(t, b, studioOf(t)).all(t.Context(), t)
	got := map[string]toldEvent{}
	for range 3 {
		e := <-heard
		got[e.Type] = e
		require.Equal(t, transcode.ID, e.Data.Transcode.ID)
		require.Equal(t, e.EventID.String(), e.header.Get("Webhook-Id"))
		m := signedMessage{e.header, e.body}
		require.True(t, m.by(t, req.CallbackSecret))
	}
	require.Empty(t, heard)
	require.Equal(t, "a", got["rendition.ready"].Data.Rendition)
	require.Contains(t, got, "transcode.started")
	require.Contains(t, got, "transcode.succeeded")
	require.Equal(t, 3, b.Count(t, "SELECT count(*) FROM weir.event_deliveries WHERE state = 'delivered' AND attempts = 1 AND last_status = 200"))
	require.Equal(t, 3, b.Count(t, "SELECT count(*) FROM weir.event_delivery_attempts"))

	// Without an address of their own they go where the callback does.
	other := requestTo(url)
	other.Events = []string{"transcode.queued"}
	b.AcceptRequest(t, other)
	outboxOf(t, b, studioOf(t)).all(t.Context(), t)
	require.Equal(t, "transcode.queued", (<-heard).Type)
}

// What is not taken comes again under its id, with the same bytes; what is refused does
// not; what expires is missed. A daemon that dies between sending and recording sends again.
func TestOutboxRetries(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	status := http.StatusServiceUnavailable
	url, heard := subscriber(t, func() int { return status })
	transcode := b.AcceptRequest(t, subscription(url, "transcode.queued"))
	due := func() { b.Exec(t, "UPDATE weir.event_deliveries SET next_attempt_at = now()") }
	state := func() (s string) {
		require.NoError(t, b.Pool.QueryRow(t.Context(), "SELECT state FROM weir.event_deliveries WHERE transcode_id = $1", transcode.ID).Scan(&s))
		return s
	}
	o := outboxOf(t, b, studioOf(t))
	o.all(t.Context(), t)
	first := <-heard
	o.all(t.Context(), t)
	require.Empty(t, heard, "it waits")
	require.Equal(t, "pending", state())

	// One that is gone: what it claimed is due again when its claim has run out.
	ctx, cancel := context.WithCancel(t.Context())
	due()
	killed := studio.New(&studio.Config{Guard: dialtest.Loopback()})
	t.Cleanup(killed.Close)
	dying := outboxOf(t, b, killed)
	status = http.StatusOK
	dying.control.DB = b.Pool
	cancel()
	require.Error(t, dying.round(ctx))
	due()
	o.all(t.Context(), t)
	again := <-heard
	require.Equal(t, first.EventID, again.EventID)
	require.Equal(t, string(first.body), string(again.body))
	require.Equal(t, []string{"1", "2"}, []string{first.header.Get("Weir-Attempt"), again.header.Get("Weir-Attempt")})
	require.Equal(t, "delivered", state())

	status = http.StatusGone
	transcode = b.AcceptRequest(t, subscription(url, "transcode.queued"))
	o.all(t.Context(), t)
	<-heard
	require.Equal(t, "refused", state())
	due()
	o.all(t.Context(), t)
	require.Empty(t, heard)

	status = http.StatusBadGateway
	transcode = b.AcceptRequest(t, subscription(url, "transcode.queued"))
	b.Exec(t, "UPDATE weir.event_deliveries SET created_at = now() - interval '25 hours' WHERE state = 'pending'")
	o.all(t.Context(), t)
	missed := <-heard
	require.Equal(t, "expired", state())
	ids, err := jobs.Missed(t.Context(), b.Pool, "studio")
	require.NoError(t, err)
	require.Equal(t, []uuid.UUID{missed.EventID}, ids)
}

// A claim that nobody records is due again: kill -9 loses nothing.
func TestOutboxClaimRunsOut(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	url, heard := subscriber(t, func() int { return http.StatusOK })
	b.AcceptRequest(t, subscription(url, "transcode.queued"))
	ctx, kill := context.WithCancel(t.Context())
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { kill() }))
	t.Cleanup(server.Close)
	b.Exec(t, "UPDATE weir.transcodes SET events_sealed = $1", b.Sealer.Seal([]byte(server.URL), "transcode/"+onlyTranscode(t, b).String()+"/events"))
	require.NoError(t, outboxOf(t, b, studioOf(t)).round(ctx))
	<-ctx.Done()
	require.Eventually(t, func() bool {
		return b.Count(t, "SELECT count(*) FROM weir.event_deliveries WHERE state = 'pending' AND next_attempt_at > now()") == 1
	}, aWhile, lookEvery)
	b.Exec(t, "UPDATE weir.event_deliveries SET next_attempt_at = now()")
	b.Exec(t, "UPDATE weir.transcodes SET events_sealed = $1", b.Sealer.Seal([]byte(url), "transcode/"+onlyTranscode(t, b).String()+"/events"))
	outboxOf(t, b, studioOf(t)).all(t.Context(), t)
	require.Equal(t, "transcode.queued", (<-heard).Type)
}

func onlyTranscode(t *testing.T, b *jobstest.Bundle) (id uuid.UUID) {
	t.Helper()
	require.NoError(t, b.Pool.QueryRow(t.Context(), "SELECT id FROM weir.transcodes").Scan(&id))
	return id
}

// A receiver that hangs has one event in hand, and a tenant whose receivers all hang so
// many: another one's arrives.
func TestOutboxPastHangingReceivers(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	hung := make(chan string, 1000)
	const many = outboxTenantLanes + 4
	for range many {
		hangs := hanging(t, hung)
		for range 3 {
			b.AcceptRequest(t, subscription(hangs, "transcode.queued"))
		}
	}
	url, heard := subscriber(t, func() int { return http.StatusOK })
	other := subscription(url, "transcode.queued")
	other.Tenant = "other"
	b.AcceptRequest(t, other)
	ctx, cancel := context.WithCancel(t.Context())
	o := newOutbox(&Control{DB: b.Pool, Sealer: b.Sealer, Studio: studioOf(t), Log: jobstest.Silent()})
	t.Cleanup(func() { cancel(); _ = o.lanes.Wait() })
	require.NoError(t, o.round(ctx))
	require.Equal(t, "transcode.queued", (<-heard).Type)
	for range outboxTenantLanes {
		told(t, hung)
	}
	require.NoError(t, o.round(ctx))
	require.Empty(t, hung, "one of each, and no more of the tenant's receivers than it has lanes")
}

// A secret that can't be opened delays: nothing goes out unsigned.
func TestOutboxSecretUnreadable(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	url, heard := subscriber(t, func() int { return http.StatusOK })
	b.AcceptRequest(t, subscription(url, "transcode.queued"))
	foreign, err := secret.NewSealer(secret.Key{9})
	require.NoError(t, err)
	o := newOutbox(&Control{DB: b.Pool, Sealer: foreign, Studio: studioOf(t), Log: jobstest.Silent()})
	o.all(t.Context(), t)
	require.Empty(t, heard)
	require.Equal(t, 1, b.Count(t, "SELECT count(*) FROM weir.event_deliveries WHERE state = 'pending' AND attempts = 1 AND last_error <> ''"))
}

// TestOutboxIsBounded: of a tenant so many wait; beyond that the oldest are told as missed,
// and nothing of another tenant's.
func TestOutboxIsBounded(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	url, _ := subscriber(t, func() int { return http.StatusServiceUnavailable })
	const made, most = 5, 3
	for range made {
		b.AcceptRequest(t, subscription(url, "transcode.queued"))
	}
	another := subscription(url, "transcode.queued")
	another.Tenant = "another"
	b.AcceptRequest(t, another)
	o := outboxOf(t, b, studioOf(t))
	o.most = most
	require.NoError(t, o.drop(t.Context()))
	require.NoError(t, o.drop(t.Context()))
	var left, right []int64
	require.NoError(t, b.Pool.QueryRow(t.Context(), `SELECT array_agg(event_id ORDER BY event_id) FILTER (WHERE state = 'pending'),
		(array_agg(event_id ORDER BY event_id DESC))[1:$1] FROM weir.event_deliveries WHERE tenant = 'studio'`, most).Scan(&left, &right))
	require.ElementsMatch(t, right, left, "the newest wait")
	missed, err := jobs.Missed(t.Context(), b.Pool, "studio")
	require.NoError(t, err)
	require.Len(t, missed, made-most)
	require.Equal(t, 1, b.Count(t, "SELECT count(*) FROM weir.event_deliveries WHERE tenant = 'another' AND state = 'pending'"))
}
