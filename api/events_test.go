package api_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"weir/api"
	"weir/api/events"
	"weir/api/view"
	"weir/db/dbsqlc"
	"weir/jobs"
	"weir/jobs/jobstest"
)

// sse is an event as a client reads it.
type sse struct {
	id, event, data string
}

func (e *sse) decode(t *testing.T) (v view.Event) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(e.data), &v), e.data)
	require.Equal(t, e.event, v.Type)
	if e.id != "" {
		require.Equal(t, e.id, strconv.FormatInt(v.ID, 10))
	}
	return v
}

// listening is a client's stream.
type listening struct {
	header http.Header
	retry  string
	events chan sse
	// text is all that was received, once events is closed.
	text strings.Builder
	stop func()
}

// bundleOver is the API over rows that jobstest moves.
func bundleOver(t *testing.T) (*bundle, *jobstest.Bundle) {
	t.Helper()
	rows := jobstest.New(t)
	b := &bundle{pool: rows.Pool, jobs: rows.Transcodes, log: &buffer{}}
	hub := events.New(b.pool, jobstest.Silent())
	running, stop := context.WithCancel(t.Context())
	b.stopEvents = stop
	ended := make(chan error, 1)
	go func() { ended <- hub.Run(running) }()
	t.Cleanup(func() { stop(); require.NoError(t, <-ended) })
	tokens, err := api.ParseTokens("studio=" + studio + ",other=" + other + ",*=" + operator)
	require.NoError(t, err)
	b.handler, err = api.New(&api.Config{Transcodes: b.jobs, Tokens: tokens, Events: hub, Logger: slog.New(slog.NewJSONHandler(b.log, nil)), Ready: nothing})
	require.NoError(t, err)
	srv := httptest.NewServer(b.handler)
	t.Cleanup(srv.Close)
	b.url, b.client = srv.URL, srv.Client()
	return b, rows
}

// listen opens a stream; last is the Last-Event-ID, if not empty.
func (b *bundle) listen(t *testing.T, token, path, last string) *listening {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.url+path, nil)
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+token)
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	resp, err := b.client.Do(req)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode)
	l := &listening{header: resp.Header, events: make(chan sse, 1000), stop: cancel}
	ended := make(chan struct{})
	t.Cleanup(func() { cancel(); <-ended })
	go func() {
		defer close(ended)
		defer close(l.events)
		defer func() { _ = resp.Body.Close() }()
		var e sse
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			line := lines.Text()
			l.text.WriteString(line + "\n")
			field, value, _ := strings.Cut(line, ": ")
			switch field {
			case "id":
				e.id = value
			case "event":
				e.event = value
			case "data":
				e.data = value
			case "retry":
				l.retry = value
			case "":
				if e.event != "" {
					l.events <- e
				}
				e = sse{}
			}
		}
	}()
	return l
}

// next is the next event that is no progress; of progress the types are enough to the rest.
func (l *listening) next(t *testing.T, progressToo bool) sse {
	t.Helper()
	limit := time.NewTimer(serving)
	defer limit.Stop()
	for {
		select {
		case e, open := <-l.events:
			require.True(t, open, "the stream has ended")
			if e.event == view.TypeProgress && !progressToo {
				continue
			}
			return e
		case <-limit.C:
			require.FailNow(t, "no event came")
		}
	}
}

func (l *listening) types(t *testing.T, n int) (list []string) {
	t.Helper()
	for range n {
		e := l.next(t, false)
		list = append(list, e.event)
	}
	return list
}

func (l *listening) over(t *testing.T) {
	t.Helper()
	limit := time.NewTimer(serving)
	defer limit.Stop()
	for {
		select {
		case _, open := <-l.events:
			if !open {
				return
			}
		case <-limit.C:
			require.FailNow(t, "the stream did not end")
		}
	}
}

// A transcode's stream tells all that was and all that comes, and ends with it.
func TestEventsOfATranscode(t *testing.T) {
	t.Parallel()
	b, rows := bundleOver(t)
	transcode := rows.Accept(t, "a", "b")
	rows.Place(t, transcode.ID, jobstest.Host)
	l := b.listen(t, studio, "/v1/transcodes/"+transcode.ID.String()+"/events", "")
	require.Equal(t, "text/event-stream", l.header.Get("Content-Type"))
	require.Equal(t, "no-store", l.header.Get("Cache-Control"))
	require.Equal(t, []string{"transcode.queued", "transcode.placed"}, l.types(t, 2))

	start(t, rows, transcode.ID)
	require.Equal(t, []string{"transcode.started"}, l.types(t, 1))
	push(t, rows, transcode.ID, "a", "b")
	require.Equal(t, []string{"rendition.pushed", "rendition.pushed"}, l.types(t, 2))
	now := rows.Get(t, transcode.ID)
	require.NoError(t, rows.Store(t.Context(), &now, "a"))
	ready := l.next(t, false)
	require.Equal(t, "a", ready.decode(t).Rendition)
	require.NoError(t, rows.Store(t.Context(), &now, "b"))
	require.Equal(t, []string{"rendition.ready", "transcode.succeeded", "end"}, l.types(t, 3))
	l.over(t)
	require.Equal(t, "2000", l.retry)

	// Again from any place; behind the last there is nothing but the end.
	l = b.listen(t, studio, "/v1/transcodes/"+transcode.ID.String()+"/events", ready.id)
	require.Equal(t, []string{"rendition.ready", "transcode.succeeded", "end"}, l.types(t, 3))
	l.over(t)
	var last string
	for line := range strings.SplitSeq(l.text.String(), "\n") {
		if id, is := strings.CutPrefix(line, "id: "); is {
			last = id
		}
	}
	l = b.listen(t, studio, "/v1/transcodes/"+transcode.ID.String()+"/events", last)
	require.Equal(t, []string{"end"}, l.types(t, 1))
	l.over(t)
}

func start(t *testing.T, rows *jobstest.Bundle, id uuid.UUID) {
	t.Helper()
	_, err := dbsqlc.New().TranscodeStart(t.Context(), rows.Pool, dbsqlc.TranscodeStartParams{ID: id, Attempt: rows.Get(t, id).Attempt})
	require.NoError(t, err)
	duration := int64(20_000)
	_, err = dbsqlc.New().TranscodeSetSource(t.Context(), rows.Pool, dbsqlc.TranscodeSetSourceParams{
		ID: id, Attempt: 1, Source: json.RawMessage(`{"container": "mpegts", "duration_us": 20000000, "bytes": 1000}`), SourceDurationMs: &duration, Warnings: json.RawMessage("[]"),
	})
	require.NoError(t, err)
}

func push(t *testing.T, rows *jobstest.Bundle, id uuid.UUID, names ...string) {
	t.Helper()
	for _, name := range names {
		require.NoError(t, dbsqlc.New().RenditionPlan(t.Context(), rows.Pool, dbsqlc.RenditionPlanParams{
			TranscodeID: id, Attempt: 1, Names: []string{name}, Widths: []int32{640}, Heights: []int32{360},
		}))
		_, err := dbsqlc.New().RenditionSetPushed(t.Context(), rows.Pool, dbsqlc.RenditionSetPushedParams{TranscodeID: id, Name: name, Attempt: 1})
		require.NoError(t, err)
	}
}

func tell(t *testing.T, rows *jobstest.Bundle, id uuid.UUID, ratio float64, p *jobs.Progress) {
	t.Helper()
	text, err := json.Marshal(p)
	require.NoError(t, err)
	require.NoError(t, dbsqlc.New().TranscodeTell(t.Context(), rows.Pool, dbsqlc.TranscodeTellParams{
		Transcodes: []uuid.UUID{id}, Attempts: []int32{1}, Ratios: []float64{ratio}, Progresses: []string{string(text)},
	}))
}

// Between events a stream tells where it waits, and how far it is: who comes has the newest.
func TestEventsTellProgress(t *testing.T) {
	t.Parallel()
	b, rows := bundleOver(t)
	before, transcode := rows.Accept(t, "a"), rows.Accept(t, "a")
	l := b.listen(t, studio, "/v1/transcodes/"+transcode.ID.String()+"/events", "")
	require.Equal(t, "transcode.queued", l.next(t, true).event)
	waits := l.next(t, true)
	require.Equal(t, &view.Queue{Position: 2, Ahead: 1}, waits.decode(t).Queue)
	require.Empty(t, waits.id, "there is no going on behind it")

	_, err := b.jobs.Cancel(t.Context(), "studio", before.ID)
	require.NoError(t, err)
	moved := l.next(t, true)
	require.Equal(t, &view.Queue{Position: 1}, moved.decode(t).Queue)

	rows.Place(t, transcode.ID, jobstest.Host)
	start(t, rows, transcode.ID)
	require.Equal(t, []string{"transcode.placed", "transcode.started"}, l.types(t, 2))
	at := time.Now().Truncate(time.Millisecond)
	tell(t, rows, transcode.ID, 0.3, &jobs.Progress{Attempt: 1, Stage: jobs.StageFetch, Done: 5, Of: 10, Unit: jobs.UnitBytes, EndsAt: new(at.Add(time.Hour)), At: at})
	e := l.next(t, true)
	p := e.decode(t).Progress
	require.Equal(t, "fetch", p.Stage)
	require.InDelta(t, 0.5, *p.StageRatio, 1e-9)
	require.InDelta(t, 0.3, p.Ratio, 1e-9)
	require.InDelta(t, 3600, *p.ETASeconds, 60)
	require.EqualValues(t, 5, *p.Done)

	for _, late := range []*listening{
		b.listen(t, studio, "/v1/events", ""), b.listen(t, operator, "/v1/events", ""),
		b.listen(t, studio, "/v1/transcodes/"+transcode.ID.String()+"/events", newest(t, rows)),
	} {
		e := late.next(t, true)
		require.Equal(t, p.Done, e.decode(t).Progress.Done)
	}
}

// newest is the id of the last event that there is.
func newest(t *testing.T, rows *jobstest.Bundle) string {
	t.Helper()
	return strconv.Itoa(rows.Count(t, "SELECT max(id) FROM weir.events"))
}

// A tenant's stream has its own transcodes alone, from now on or behind an id; an
// operator's has everybody's.
func TestEventsOfATenant(t *testing.T) {
	t.Parallel()
	b, rows := bundleOver(t)
	past := rows.Accept(t, "a")
	mine, all, others := b.listen(t, studio, "/v1/events", ""), b.listen(t, operator, "/v1/events", ""), b.listen(t, other, "/v1/events", "")
	req := jobstest.MakeRequest("", "a")
	req.Tenant = "other"
	theirs := rows.AcceptRequest(t, req)
	own := rows.Accept(t, "a")
	ids := func(l *listening, n int) (list []uuid.UUID) {
		for range n {
			e := l.next(t, false)
			list = append(list, e.decode(t).Transcode.ID)
		}
		return list
	}
	require.Equal(t, []uuid.UUID{own.ID}, ids(mine, 1))
	require.Equal(t, []uuid.UUID{theirs.ID}, ids(others, 1))
	require.Equal(t, []uuid.UUID{theirs.ID, own.ID}, ids(all, 2))

	require.Equal(t, []uuid.UUID{past.ID, own.ID}, ids(b.listen(t, studio, "/v1/events", "0"), 2))
	require.Equal(t, []uuid.UUID{theirs.ID}, ids(b.listen(t, other, "/v1/events", "0"), 1))
	require.Equal(t, []uuid.UUID{past.ID, theirs.ID, own.ID}, ids(b.listen(t, operator, "/v1/events", "0"), 3))

	path := "/v1/transcodes/" + theirs.ID.String() + "/events"
	require.Equal(t, http.StatusNotFound, b.do(t, studio, http.MethodGet, path, nil).status)
	require.Equal(t, http.StatusUnauthorized, b.do(t, "", http.MethodGet, "/v1/events", nil).status)
	require.Equal(t, http.StatusUnauthorized, b.do(t, "", http.MethodGet, path, nil).status)
	require.Equal(t, []uuid.UUID{theirs.ID}, ids(b.listen(t, operator, path, ""), 1))
}

// Where events are gone that a client goes on behind, it is told.
func TestEventsThatAreGone(t *testing.T) {
	t.Parallel()
	b, rows := bundleOver(t)
	for range 5 {
		rows.Accept(t, "a")
	}
	rows.Exec(t, "DELETE FROM weir.events WHERE id <= 3")
	require.Equal(t, []string{"missed", "transcode.queued", "transcode.queued"}, b.listen(t, studio, "/v1/events", "1").types(t, 3))
	require.Equal(t, []string{"transcode.queued"}, b.listen(t, studio, "/v1/events", "4").types(t, 1))

	// Nor was there ever one of this id, as behind a backup that was restored.
	tenants := b.listen(t, studio, "/v1/events", "999999999")
	require.Equal(t, []string{"missed"}, tenants.types(t, 1))
	late := rows.Accept(t, "a")
	came := tenants.next(t, false)
	require.Equal(t, late.ID, came.decode(t).Transcode.ID)
	require.Equal(t, []string{"missed", "transcode.queued"}, b.listen(t, studio, "/v1/transcodes/"+late.ID.String()+"/events", "999999999").types(t, 2))
}

func TestEventsRefuse(t *testing.T) {
	t.Parallel()
	b, rows := bundleOver(t)
	transcode := rows.Accept(t, "a")
	for _, path := range []string{"/v1/events", "/v1/transcodes/" + transcode.ID.String() + "/events"} {
		for _, id := range []string{"x", "-1", "1.5", "9999999999999999999", strings.Repeat("1", 30)} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.url+path, nil)
			require.NoError(t, err)
			req.Header.Set("Authorization", "Bearer "+studio)
			req.Header.Set("Last-Event-ID", id)
			p := b.send(t, req).problem(t, http.StatusUnprocessableEntity)
			require.Equal(t, []string{"header.Last-Event-ID"}, p.locations(), id)
		}
	}
	b.do(t, studio, http.MethodGet, "/v1/transcodes/nonsense/events", nil).problem(t, http.StatusUnprocessableEntity)
	b.do(t, studio, http.MethodGet, "/v1/events?x=1", nil).problem(t, http.StatusUnprocessableEntity)
}

// A stop ends streams at once, with a word that says to come again.
func TestEventsOfADaemonThatStops(t *testing.T) {
	t.Parallel()
	b, rows := bundleOver(t)
	transcode := rows.Accept(t, "a")
	url, stop, ended := serve(t, b.handler)
	b.url = url
	one, all := b.listen(t, studio, "/v1/transcodes/"+transcode.ID.String()+"/events", ""), b.listen(t, studio, "/v1/events", "")
	require.Equal(t, "transcode.queued", one.next(t, false).event)
	b.stopEvents()
	stop()
	for _, l := range []*listening{one, all} {
		e := l.next(t, false)
		require.Equal(t, sse{event: "bye", data: `{"reason":"stopping"}`}, e)
		l.over(t)
	}
	require.NoError(t, await(t, ended))
	a := httptest.NewRecorder()
	req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/events", nil)
	req.Header.Set("Authorization", "Bearer "+studio)
	b.handler.ServeHTTP(a, req)
	require.Equal(t, http.StatusServiceUnavailable, a.Code)
	require.NotEmpty(t, a.Header().Get("Retry-After"))
}

// A client that reads nothing holds nobody up, and is let go.
func TestEventsPastASlowListener(t *testing.T) {
	t.Parallel()
	b, rows := bundleOver(t)
	url, stop, ended := serve(t, b.handler)
	t.Cleanup(func() { b.stopEvents(); stop(); require.NoError(t, await(t, ended)) })
	b.url = url
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(b.url, "http://"))
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	require.NoError(t, conn.(*net.TCPConn).SetReadBuffer(4096))
	_, err = fmt.Fprintf(conn, "GET /v1/events HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer %s\r\n\r\n", studio)
	require.NoError(t, err)
	quick := b.listen(t, studio, "/v1/events", "0") // from the first, however late it is
	// Until more has come than a socket's buffers and the listener's own hold.
	let := func() bool { return strings.Contains(b.log.String(), `"route":"GET /v1/events"`) }
	for began := time.Now(); !let(); {
		require.Less(t, time.Since(began), 2*serving, "the slow one is not let go")
		const many = 1000
		// The hold comes first, as with triggers: without it a reader passes ids that are still to come.
		rows.Exec(t, `WITH held AS MATERIALIZED (SELECT weir.events_hold())
			INSERT INTO weir.events (transcode_id, tenant, external_id, type, state, run, attempt, ratio)
			SELECT gen_random_uuid(), 'studio', repeat('x', 1000), 'transcode.queued', 'queued', 1, 0, 0
			  FROM held, generate_series(1, $1)`, many)
		quick.types(t, many)
	}
}

// The wire form of each type.
func TestEventsOnTheWire(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 500_000_000, time.UTC)
	id := uuid.MustParse("019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071")
	row := func(kind, state string, change func(*dbsqlc.Event)) view.Event {
		e := dbsqlc.Event{
			ID: 1042, TranscodeID: id, Tenant: "studio", ExternalID: new("task-4711"), Type: kind, State: state,
			Run: 1, Attempt: 1, HostID: new("mist-1"), Ratio: 0.45, CreatedAt: at,
		}
		change(&e)
		return view.EventOf(&e)
	}
	progress := view.Event{
		Type: view.TypeProgress, At: at, Transcode: row("", "running", func(*dbsqlc.Event) {}).Transcode,
		Progress: &view.Progress{
			Stage: "transcode", Ratio: 0.45, StageRatio: new(0.4375), Done: new(int64(26_250)), Of: new(int64(60_000)), Unit: new("ms"),
			Speed: new(3.25), ETASeconds: new(11.2), At: at,
		},
	}
	waiting := progress
	waiting.Progress, waiting.Queue = nil, &view.Queue{Position: 3, Ahead: 17}
	waiting.Transcode.State, waiting.Transcode.Host, waiting.Transcode.Ratio, waiting.Transcode.Attempt = "queued", nil, 0, 0
	for name, e := range map[string]view.Event{
		"transcode.queued": row("transcode.queued", "queued", func(e *dbsqlc.Event) { e.HostID, e.Attempt, e.Ratio = nil, 0, 0 }),
		"transcode.failed": row("transcode.failed", "failed", func(e *dbsqlc.Event) { e.ErrorCode, e.ErrorStage = new("source_missing"), new("fetch") }),
		"rendition.ready":  row("rendition.ready", "running", func(e *dbsqlc.Event) { e.Rendition = new("720p") }),
		"output.ready":     row("output.ready", "storing", func(e *dbsqlc.Event) { e.Output = new("hls") }),
		"progress":         progress,
		"progress-queued":  waiting,
	} {
		frame, err := events.Frame(&e)
		require.NoError(t, err)
		path := filepath.Join("testdata", "events", name+".txt")
		if *update {
			require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
			require.NoError(t, os.WriteFile(path, frame, 0o644))
		}
		want, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, string(want), string(frame), name)
	}
	require.Equal(t, "retry: 2000\n\n", string(events.Hello()))
	require.Equal(t, "event: end\ndata: {\"reason\":\"ended\"}\n\n", string(events.Last(events.Ended)))
	require.Equal(t, "event: bye\ndata: {\"reason\":\"slow\"}\n\n", string(events.Last(events.Slow)))
}

// The examples of docs/events.md are the golden ones, and its commands give what they say.
func TestEventsExamples(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("../docs/events.md")
	require.NoError(t, err)
	b, rows := bundleOver(t)
	transcode := rows.Accept(t, "a")
	_, err = b.jobs.Cancel(t.Context(), "studio", transcode.ID)
	require.NoError(t, err)
	commands, shown := 0, 0
	for i, block := range strings.Split(string(guide), "```") {
		kind, text, _ := strings.Cut(block, "\n")
		name, isText := strings.CutPrefix(kind, "text ")
		switch {
		case i%2 == 0:
		case isText:
			want, err := os.ReadFile(filepath.Join("testdata", "events", name))
			require.NoError(t, err)
			require.Equal(t, strings.TrimRight(string(want), "\n"), strings.TrimRight(text, "\n"), name)
			shown++
		case kind == "sh":
			b.follow(t, rows, text, transcode.ID.String())
			commands++
		}
	}
	require.Equal(t, 3, shown)
	require.Equal(t, 3, commands)
	for _, kind := range readGolden(t).Components.Schemas["Event"].Properties["type"].(map[string]any)["enum"].([]any) {
		require.Contains(t, string(guide), "`"+kind.(string)+"`")
	}
	for _, name := range []string{"Event", "Progress", "Queue"} {
		for field := range readGolden(t).Components.Schemas[name].Properties {
			require.Contains(t, string(guide), field, "a field of %s", name)
		}
	}
}

// follow runs a command of the page until it has shown an event.
func (b *bundle) follow(t *testing.T, rows *jobstest.Bundle, command, id string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), serving)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", "exec "+strings.TrimSpace(command))
	cmd.Env = append(os.Environ(), "TOKEN="+studio, "WEIR="+b.url, "ID="+id, "LAST=1")
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	defer func() { cancel(); _ = cmd.Wait() }() // it was killed
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "retry: ") {
			rows.Accept(t, "a") // something to tell
		}
		if strings.HasPrefix(lines.Text(), "event: ") {
			return
		}
	}
	require.FailNow(t, "no event came", command)
}
