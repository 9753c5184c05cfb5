package triggers

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"weir/db"
	"weir/db/dbsqlc"
	"weir/db/dbtest"
	"weir/mist"
	"weir/storage/dial/dialtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	testHost  = "host-a"
	testSpool = "/spool"
	// patience is for a machine that is busy with other things.
	patience = 60 * time.Second
)

type testBundle struct {
	pool     *pgxpool.Pool
	listener *Listener
	url      string
	client   *http.Client
	name     mist.Name
	woken    chan uuid.UUID
	log      *logBuffer
}

// logBuffer is what was logged, written by many.
type logBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// renditions of the test's transcode, as in the recordings of all sizes.
var testRenditions = []string{"0_640x360", "1_320x180", "2_640x360"}

// setup starts a listener on a database of its own that holds one transcode in its
// first attempt.
func setup(tb testing.TB) *testBundle {
	tb.Helper()
	return setupOn(tb, dbtest.New(tb))
}

func setupOn(tb testing.TB, pool *pgxpool.Pool) *testBundle {
	tb.Helper()
	b := &testBundle{pool: pool, woken: make(chan uuid.UUID, 1<<12), log: &logBuffer{}, client: &http.Client{Transport: &http.Transport{}}}
	var err error
	b.listener, err = New(&Config{
		DB: pool, HostID: testHost, Spool: testSpool + "/",
		Wake:   func(id uuid.UUID) { b.woken <- id },
		Logger: slog.New(slog.NewTextHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	require.NoError(tb, err)
	server := httptest.NewServer(b.listener)
	tb.Cleanup(server.Close)
	tb.Cleanup(b.client.CloseIdleConnections)
	b.url = server.URL + "/triggers"
	b.name = mist.Name{Transcode: addTranscode(tb, pool), Attempt: 1}
	return b
}

// addTranscode is one whose first attempt has begun.
func addTranscode(tb testing.TB, pool *pgxpool.Pool) uuid.UUID {
	tb.Helper()
	id, err := uuid.NewV7()
	require.NoError(tb, err)
	q := dbsqlc.New()
	sealed := []byte("sealed")
	require.NoError(tb, db.InTx(tb.Context(), pool, func(tx pgx.Tx) error {
		text, seal := []string{""}, [][]byte{sealed}
		none := [][]byte{nil}
		if err := q.TranscodeInsert(tb.Context(), tx, dbsqlc.TranscodeInsertParams{
			Ids: []uuid.UUID{id}, Tenants: []string{"t"}, ExternalIds: text, Forms: []string{"v1"}, Requests: []string{"{}"}, RequestDigests: seal,
			SourceUrls: []string{"s3://b/s"}, SourceSeals: seal, OutputUrls: []string{"s3://b/o"}, OutputSeals: seal,
			CallbackUrls: []string{"http://c"}, CallbackSeals: seal, LivepeerSeals: none, CallbackSecretSeals: none,
			Metadata: []string{"{}"}, Labels: []string{"{}"}, Events: text, EventsUrls: text, EventsSeals: none,
			Packages: []bool{false}, AttemptsLeft: 3, Priorities: []int16{5}, Ladders: []bool{false},
			ClipStartsMs: []int64{-1}, ClipEndsMs: []int64{-1}, ClipClocks: text,
		}); err != nil {
			return err
		}
		all := dbsqlc.RenditionInsertParams{}
		for i, name := range testRenditions {
			all.TranscodeIds = append(all.TranscodeIds, id)
			all.Names, all.Ordinals = append(all.Names, name), append(all.Ordinals, int32(i))
			all.Widths, all.Heights, all.Bitrates = append(all.Widths, 640), append(all.Heights, 360), append(all.Bitrates, 1e6)
			all.Qualities, all.FPS, all.FpsDens = append(all.Qualities, 0), append(all.FPS, 0), append(all.FpsDens, 0)
			all.Gops, all.CodecProfiles = append(all.Gops, ""), append(all.CodecProfiles, "")
		}
		if err := q.RenditionInsert(tb.Context(), tx, all); err != nil {
			return err
		}
		return q.RenditionExpect(tb.Context(), tx, dbsqlc.RenditionExpectParams{TranscodeIds: []uuid.UUID{id}, Attempts: []int32{1}})
	}))
	return id
}

// post sends an event as Mist does, but waits for the answer.
func (b *testBundle) post(tb testing.TB, trigger, id string, payload []byte) int {
	tb.Helper()
	req, err := http.NewRequestWithContext(tb.Context(), http.MethodPost, b.url, bytes.NewReader(payload))
	require.NoError(tb, err)
	req.Header.Set("Content-Type", "text/plain")
	if trigger != "" {
		req.Header.Set("X-Trigger", trigger)
	}
	if id != "" {
		req.Header.Set("X-Trigger-UUID", id)
	}
	resp, err := b.client.Do(req)
	require.NoError(tb, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(tb, err)
	require.NotEmpty(tb, body, "Mist waits after an empty answer")
	return resp.StatusCode
}

// send is post of something new that must be recorded; it returns its row.
func (b *testBundle) send(tb testing.TB, trigger string, payload []byte) dbsqlc.MistEvent {
	tb.Helper()
	id := uuid.NewString()
	require.Equal(tb, http.StatusOK, b.post(tb, trigger, id, payload))
	newest, err := dbsqlc.New().MistEventList(tb.Context(), b.pool, dbsqlc.MistEventListParams{PageSize: 1})
	require.NoError(tb, err)
	require.Len(tb, newest, 1)
	require.Equal(tb, id, *newest[0].UUID)
	return newest[0]
}

func (b *testBundle) events(tb testing.TB) []dbsqlc.MistEvent {
	tb.Helper()
	list, err := dbsqlc.New().MistEventList(tb.Context(), b.pool, dbsqlc.MistEventListParams{PageSize: 1 << 20})
	require.NoError(tb, err)
	return list
}

func (b *testBundle) renditions(tb testing.TB) []dbsqlc.Rendition {
	tb.Helper()
	list, err := dbsqlc.New().RenditionList(tb.Context(), b.pool, b.name.Transcode)
	require.NoError(tb, err)
	return list
}

// The payloads that an attempt sends.

func trackList(stream string, tracks int) []byte {
	list := map[string]any{}
	for i := range tracks {
		list[fmt.Sprintf("video_H264_640x360_30fps_%d", i)] = map[string]any{
			"idx": tracks - 1 - i, "trackid": i<<16 | 256, "type": "video", "codec": "H264", "width": 640, "height": 360,
		}
	}
	list["audio_AAC_2ch_48000hz_9"] = map[string]any{"idx": 9, "trackid": 257, "type": "audio", "codec": "AAC"}
	text, err := json.Marshal(list)
	if err != nil {
		panic(err)
	}
	return fmt.Appendf(nil, "%s\n%s\n", stream, text)
}

func target(name mist.Name, rendition string) string {
	return testSpool + "/" + name.String() + "/" + rendition + ".ts"
}

func recorded(stream, target string) []byte {
	return fmt.Appendf(nil, "%s\n%s\nHTTPTS\n2250548\n7\n1795354931\n1795354938\n20000\n23\n20023\nCLEAN_INTENDED_STOP\nplanned stopping point reached\n", stream, target)
}

func pushEnded(stream, target string) []byte {
	target += "?video=0&audio=none&recstart=-1&waittrackcount=1&recstop=20000"
	return fmt.Appendf(nil, "6593\n%s\n%s\n%s\nnull\nnull", stream, target, target)
}

func TestOneAttempt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	stream := b.name.Rendition()

	event := b.send(t, "LIVE_TRACK_LIST", trackList(stream, 1))
	require.Equal(t, verdictApplied, event.Verdict)
	require.Equal(t, b.name.Transcode, *event.TranscodeID)
	require.EqualValues(t, 1, *event.Attempt)
	require.Equal(t, testHost, event.HostID)
	require.Equal(t, stream, event.Stream)
	require.EqualValues(t, 0, *b.renditions(t)[0].TrackIndex)
	require.Nil(t, b.renditions(t)[1].TrackIndex)

	// The list grows, and the first keeps what it had: a push may be on it.
	event = b.send(t, "LIVE_TRACK_LIST", trackList(stream, 3))
	require.Equal(t, verdictApplied, event.Verdict)
	require.Equal(t, "track 2 is rendition 0 (640x360), track 1 is rendition 1 (640x360), track 0 is rendition 2 (640x360)", event.Note)
	for i, want := range []int32{0, 1, 0} {
		require.Equal(t, want, *b.renditions(t)[i].TrackIndex)
	}
	require.Equal(t, verdictNoted, b.send(t, "LIVE_TRACK_LIST", trackList(stream, 3)).Verdict, "nothing new")

	event = b.send(t, "RECORDING_END", recorded(stream, target(b.name, "1_320x180")))
	require.Equal(t, verdictApplied, event.Verdict)
	require.Equal(t, "1_320x180", *event.Rendition)
	event = b.send(t, "PUSH_END", pushEnded(stream, target(b.name, "1_320x180")))
	require.Equal(t, verdictNoted, event.Verdict)
	r := b.renditions(t)[1]
	require.EqualValues(t, 2250548, *r.RecordedBytes)
	require.Equal(t, "CLEAN_INTENDED_STOP", *r.RecordedReason)
	require.EqualValues(t, 20000, r.PushedMs)
	require.Equal(t, "expected", r.State, "a hint decides nothing")

	require.Equal(t, verdictNoted, b.send(t, "LIVE_TRACK_LIST", []byte(stream+"\nnull\n")).Verdict)
	require.Equal(t, verdictNoted, b.send(t, "LIVE_TRACK_LIST", []byte(stream+"\n\n")).Verdict, "upstream's form")
	require.Equal(t, verdictNoted, b.send(t, "INPUT_ABORT", []byte(b.name.Source()+"\n/spool/padded.ts\nMistInTS\n21109\nFORMAT_SPECIFIC\nCould not getNext TS packet!")).Verdict)

	// The store job took it over: what comes later is past.
	_, err := dbsqlc.New().RenditionSetPushed(t.Context(), b.pool, dbsqlc.RenditionSetPushedParams{
		TranscodeID: b.name.Transcode, Name: "1_320x180", Attempt: 1,
	})
	require.NoError(t, err)
	event = b.send(t, "PUSH_END", pushEnded(stream, target(b.name, "1_320x180")))
	require.Equal(t, verdictStale, event.Verdict)
	require.Equal(t, "rendition 1_320x180 is pushed already. push 6593 is gone", event.Note)

	require.Len(t, b.woken, 7, "all but the stale one, and the repeated one")
	for len(b.woken) > 0 {
		require.Equal(t, b.name.Transcode, <-b.woken)
	}
}

// What speaks of others, of the past, or of what never was, changes no rendition.
func TestForged(t *testing.T) {
	t.Parallel()
	b := setup(t)
	stranger := mist.Name{Transcode: uuid.New(), Attempt: 1}
	require.NoError(t, dbsqlc.New().RenditionExpect(t.Context(), b.pool, dbsqlc.RenditionExpectParams{TranscodeIds: []uuid.UUID{b.name.Transcode}, Attempts: []int32{2}}))
	before := b.renditions(t)
	old, next := b.name, mist.Name{Transcode: b.name.Transcode, Attempt: 3}
	b.name.Attempt = 2
	stream := b.name.Rendition()
	for name, test := range map[string]struct {
		trigger string
		payload []byte
		verdict string
		note    string
	}{
		"tracks of an older attempt":  {"LIVE_TRACK_LIST", trackList(old.Rendition(), 3), verdictStale, "of attempt 1, the newest is 2"},
		"tracks of a later attempt":   {"LIVE_TRACK_LIST", trackList(next.Rendition(), 3), verdictStale, "of attempt 3, the newest is 2"},
		"tracks of no transcode":      {"LIVE_TRACK_LIST", trackList(stranger.Rendition(), 3), verdictUnmatched, "no such transcode"},
		"tracks of the source":        {"LIVE_TRACK_LIST", trackList(b.name.Source(), 3), verdictNoted, "track 2"},
		"tracks of somebody's stream": {"LIVE_TRACK_LIST", trackList("live+concert", 3), verdictUnmatched, "not a stream of a transcode"},
		"tracks of a bare name":       {"LIVE_TRACK_LIST", trackList(b.name.String(), 3), verdictUnmatched, "not a stream"},
		"tracks in capitals":          {"LIVE_TRACK_LIST", trackList(strings.ToUpper(stream), 3), verdictUnmatched, "not a stream"},
		"tracks beyond the profiles":  {"LIVE_TRACK_LIST", []byte(stream + `{"v":{"idx":0,"trackid":1048832,"type":"video"}}`), verdictUnmatched, "not a stream"},
		"no such profile":             {"LIVE_TRACK_LIST", []byte(stream + "\n" + `{"v":{"idx":0,"trackid":1048832,"type":"video"}}`), verdictNoted, "nothing new"},
		"end of an older attempt":     {"RECORDING_END", recorded(old.Rendition(), target(old, "0_640x360")), verdictStale, "of attempt 1"},
		"end in another's folder":     {"RECORDING_END", recorded(stream, target(old, "0_640x360")), verdictUnmatched, "not a file of this attempt"},
		"end of another's stream":     {"RECORDING_END", recorded(stranger.Rendition(), target(b.name, "0_640x360")), verdictUnmatched, "not a file of this attempt"},
		"end of no rendition":         {"RECORDING_END", recorded(stream, target(b.name, "9_1x1")), verdictUnmatched, "no such rendition"},
		"end outside of the spool":    {"PUSH_END", pushEnded(stream, "/etc/passwd"), verdictUnmatched, "not a file"},
		"end through dots":            {"PUSH_END", pushEnded(stream, testSpool+"/"+b.name.String()+"/../x/0_640x360.ts"), verdictUnmatched, "not a file"},
		"end without a file":          {"PUSH_END", pushEnded(stream, testSpool+"/"+b.name.String()+"/.ts"), verdictUnmatched, "not a file"},
		"push to S3":                  {"PUSH_END", pushEnded(stream, "s3+https://KEY:planted@host/b/0_640x360.ts"), verdictUnmatched, "not a file"},
		"trigger of another kind":     {"STREAM_END", []byte(stream + "\n0\n0\n0\n1\n2\n0"), verdictUnmatched, "not a trigger"},
		"no trigger":                  {"", []byte(stream), verdictUnmatched, "not a trigger"},
	} {
		event := b.send(t, test.trigger, test.payload)
		require.Equal(t, test.verdict, event.Verdict, name)
		require.Contains(t, event.Note, test.note, name)
	}
	require.Equal(t, before, b.renditions(t))
}

// Payloads of any shape are kept, answered, and change nothing.
func TestPayloadsOfAnyShape(t *testing.T) {
	t.Parallel()
	b := setup(t)
	before := b.renditions(t)
	stream, file := b.name.Rendition(), target(b.name, "0_640x360")
	huge := bytes.Repeat([]byte("x"), 10<<20)
	for _, trigger := range []string{"LIVE_TRACK_LIST", "PUSH_END", "RECORDING_END", "INPUT_ABORT", "LIVEPEER_SEGMENT_REJECTED", "NO_SUCH"} {
		for name, payload := range map[string][]byte{
			"nothing":         {},
			"one end of line": []byte("\n"),
			"only ends":       []byte("\n\n\n\n\n\n\n\n\n\n\n\n\n"),
			"NULs":            bytes.Repeat([]byte{0}, 100),
			"NULs in lines":   bytes.Repeat([]byte("\x00\n"), 12),
			"no UTF-8":        bytes.Repeat([]byte("\xff\xfe\n"), 12),
			"10 MB, one line": huge,
			"10 MB of lines":  bytes.Repeat([]byte("x\n"), 5<<20),
			"deep JSON":       append([]byte(stream+"\n"), bytes.Repeat([]byte("["), 1<<19)...),
			"broken JSON":     []byte(stream + "\n{\"a\":"),
			"wrong JSON":      []byte(stream + "\n[1,2,3]"),
			"no track id":     []byte(stream + "\n" + `{"v":{"type":"video"}}`),
			"missing lines":   []byte(stream + "\n" + file),
			"numbers not so":  []byte("x\n" + stream + "\n" + file + "\n" + file + "\nnull\nnull\n\n\n\n\n\n\n"),
		} {
			event := b.send(t, trigger, payload)
			require.Contains(t, []string{verdictUnreadable, verdictUnmatched, verdictNoted}, event.Verdict, "%s: %s", trigger, name)
			require.EqualValues(t, len(payload), event.PayloadBytes, "%s: %s", trigger, name)
			if trigger != "LIVEPEER_SEGMENT_REJECTED" {
				require.Equal(t, string(payload[:min(len(payload), storedBytes)]), string(event.Payload), "%s: %s", trigger, name)
			}
			require.LessOrEqual(t, len(event.Note), maxNote)
			require.LessOrEqual(t, len(event.Stream), maxStream)
		}
	}
	require.Equal(t, before, b.renditions(t))
}

// Mist's retries, and a handler registered twice, share a UUID.
func TestDuplicatesAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id, payload := uuid.NewString(), trackList(b.name.Rendition(), 3)
	var group sync.WaitGroup
	var ok atomic.Int32
	for range 16 {
		group.Go(func() {
			if b.post(t, "LIVE_TRACK_LIST", id, payload) == http.StatusOK {
				ok.Add(1)
			}
		})
	}
	group.Wait()
	require.EqualValues(t, 16, ok.Load(), "a recorded one is a good one")
	require.Len(t, b.events(t), 1)
	require.Len(t, b.woken, 1)

	// Old Mists send no UUID: twice recorded, and the effect is the same.
	for range 2 {
		require.Equal(t, http.StatusOK, b.post(t, "PUSH_END", "", pushEnded(b.name.Rendition(), target(b.name, "0_640x360"))))
	}
	require.Len(t, b.events(t), 3)
	require.Equal(t, http.StatusOK, b.post(t, "PUSH_END", strings.Repeat("u", 10_000), nil))
	require.Len(t, b.events(t), 4)
}

// Many different events of one transcode at once: none is lost, none locks another out.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const each = 20
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for range each {
				payload := trackList(b.name.Rendition(), 1+i%3)
				if status := b.post(t, "LIVE_TRACK_LIST", uuid.NewString(), payload); status != http.StatusOK {
					t.Errorf("status %d", status)
				}
			}
		})
	}
	group.Wait()
	require.Len(t, b.events(t), 8*each)
}

// An asynchronous trigger: Mist writes, closes, and reads no answer.
func TestSocketClosedAfterTheBody(t *testing.T) {
	t.Parallel()
	b := setup(t)
	payload := recorded(b.name.Rendition(), target(b.name, "0_640x360"))
	address := strings.TrimSuffix(strings.TrimPrefix(b.url, "http://"), "/triggers")
	const events = 20
	for range events {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
		require.NoError(t, err)
		_, err = fmt.Fprintf(conn, "POST /triggers HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\nX-Trigger: RECORDING_END\r\nX-Trigger-UUID: %s\r\n\r\n%s",
			address, len(payload), uuid.NewString(), payload)
		require.NoError(t, err)
		require.NoError(t, conn.Close())
	}
	deadline := time.After(patience)
	for range events {
		select {
		case id := <-b.woken:
			require.Equal(t, b.name.Transcode, id)
		case <-deadline:
			require.Fail(t, "an event is lost", b.log.String())
		}
	}
	require.EqualValues(t, 20000, b.renditions(t)[0].PushedMs)
}

// Half a body must not stand for the whole under the UUID that both have.
func TestBodyCutOff(t *testing.T) {
	t.Parallel()
	b := setup(t)
	payload := recorded(b.name.Rendition(), target(b.name, "0_640x360"))
	address := strings.TrimSuffix(strings.TrimPrefix(b.url, "http://"), "/triggers")
	id := uuid.NewString()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
	require.NoError(t, err)
	defer conn.Close()
	_, err = fmt.Fprintf(conn, "POST /triggers HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\nX-Trigger: RECORDING_END\r\nX-Trigger-UUID: %s\r\n\r\n%s",
		address, len(payload), id, payload[:len(payload)/2])
	require.NoError(t, err)
	require.NoError(t, conn.(*net.TCPConn).CloseWrite())
	answer, err := io.ReadAll(conn)
	require.NoError(t, err)
	require.Contains(t, string(answer), "400 Bad Request")
	require.Empty(t, b.events(t))
	require.Equal(t, http.StatusOK, b.post(t, "RECORDING_END", id, payload))
	require.Equal(t, verdictApplied, b.events(t)[0].Verdict)
}

func TestDatabaseDown(t *testing.T) {
	t.Parallel()
	b := setup(t)
	dead, err := db.Open(t.Context(), "postgres://nobody:planted-password@"+dialtest.Nobody(t)+"/none", 2)
	require.NoError(t, err)
	t.Cleanup(dead.Close)
	b.listener.cfg.DB = dead
	for _, payload := range [][]byte{trackList(b.name.Rendition(), 3), []byte("junk")} {
		require.Equal(t, http.StatusServiceUnavailable, b.post(t, "LIVE_TRACK_LIST", uuid.NewString(), payload))
	}
	require.Contains(t, b.log.String(), "trigger not recorded")
	require.NotContains(t, b.log.String(), "planted-password")
	require.Empty(t, b.woken)
}

func TestRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete} {
		req, err := http.NewRequestWithContext(t.Context(), method, b.url, nil)
		require.NoError(t, err)
		resp, err := b.client.Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusMethodNotAllowed, resp.StatusCode)
	}
	for peer, want := range map[string]int{
		"192.0.2.7:1234": http.StatusForbidden, "[2001:db8::1]:1234": http.StatusForbidden, "": http.StatusForbidden,
		"@": http.StatusForbidden, "localhost:1": http.StatusForbidden, "0.0.0.0:1": http.StatusForbidden,
		"127.0.0.9:1": http.StatusOK, "[::1]:1": http.StatusOK, "[::ffff:127.0.0.1]:1": http.StatusOK,
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader("x"))
		r.RemoteAddr = peer
		w := httptest.NewRecorder()
		b.listener.ServeHTTP(w, r)
		require.Equal(t, want, w.Code, peer)
	}
	require.Len(t, b.events(t), 3)
}

func TestServe(t *testing.T) {
	t.Parallel()
	b := setup(t)
	listen := func(address string) net.Listener {
		ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", address)
		require.NoError(t, err)
		return ln
	}
	require.ErrorContains(t, b.listener.Serve(t.Context(), listen("0.0.0.0:0")), "loopback only")

	ctx, stop := context.WithCancel(t.Context())
	ln := listen("127.0.0.1:0")
	done := make(chan error, 1)
	go func() { done <- b.listener.Serve(ctx, ln) }()
	b.url = "http://" + ln.Addr().String() + "/"
	require.Equal(t, http.StatusOK, b.post(t, "PUSH_END", uuid.NewString(), []byte("x")))
	stop()
	require.NoError(t, <-done)
	_, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", ln.Addr().String())
	require.Error(t, err)

	broken := listen("127.0.0.1:0")
	require.NoError(t, broken.Close())
	require.ErrorIs(t, b.listener.Serve(t.Context(), broken), net.ErrClosed)
}

func TestNewChecks(t *testing.T) {
	t.Parallel()
	pool, err := db.Open(t.Context(), "postgres://h/d", 2)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	for want, cfg := range map[string]Config{
		"no database": {HostID: "h", Spool: "/s"},
		"no host id":  {DB: pool, Spool: "/s"},
		`spool "s"`:   {DB: pool, HostID: "h", Spool: "s"},
	} {
		_, err := New(&cfg)
		require.ErrorContains(t, err, want)
	}
	_, err = New(&Config{DB: pool, HostID: "h", Spool: "/s"})
	require.NoError(t, err)
}

// What Mist lets slip into its triggers is not kept.
func TestNoSecretIsKept(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const secret = "planted-secret"
	stream := b.name.Rendition()
	s3 := "s3+https://KEY:" + secret + "@host/bucket/a.ts"
	settings := `{"source":"` + b.name.Source() + `","sink":"` + stream + `","access_token":"` + secret +
		`","hardcoded_broadcasters":"[\"https://u:` + secret + `@b\"]","target_profiles":[{"name":"720p"}]}`
	segment := strings.Repeat("QUJD", 1000)
	rejected := settings + "\n" + segment + "\n" + `{"width":1280,"height":720,"duration":2000}` + "\nhttps://u:" + secret + "@b1/live\nN/A"
	b.send(t, "PUSH_END", []byte("1\n"+stream+"\n"+s3+"\n"+s3+"\n[[1,\"FAIL\",\"can't open "+s3+"\"]]\nnull"))
	b.send(t, "RECORDING_END", recorded(stream, s3))
	b.send(t, "INPUT_ABORT", []byte(stream+"\n"+s3+"\nMistInTS\n1\nUNKNOWN\n"+s3))
	b.send(t, "LIVE_TRACK_LIST", []byte(s3+"\n{"+s3))
	for _, cut := range []int{keptBytes, storedBytes} {
		b.send(t, "OUTPUT_END", append(bytes.Repeat([]byte("x"), cut-20), "s3+https://K:"+secret+"@h/b"...))
	}
	b.send(t, "OUTPUT_END", bytes.Repeat([]byte("://"+secret+"@"), keptBytes/len(secret)/2)) // longer when it is scrubbed
	b.send(t, "LIVEPEER_SEGMENT_REJECTED", []byte("{broken "+secret))
	event := b.send(t, "LIVEPEER_SEGMENT_REJECTED", []byte(rejected))
	require.Equal(t, verdictNoted, event.Verdict)
	require.JSONEq(t, `{"source":"`+b.name.Source()+`","sink":"`+stream+`","target_profiles":[{"name":"720p"}]}`, string(event.Payload))
	require.EqualValues(t, len(rejected), event.PayloadBytes)
	require.Contains(t, event.Note, "1280x720, 2000 ms, 3000 bytes, refused by https://[redacted]@b1/live and N/A")

	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.url, strings.NewReader("x"))
	require.NoError(t, err)
	req.Header.Set("Cookie", secret)
	req.Header.Set("Authorization", secret)
	req.Header.Set("X-Version", "3.10")
	resp, err := b.client.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())

	all := b.log.String()
	for _, e := range b.events(t) {
		all += fmt.Sprintf("%s %s %s %s %s\n", e.Stream, e.Trigger, e.Headers, e.Payload, e.Note)
	}
	require.NotContains(t, all, secret[:8])
	require.Contains(t, all, `"X-Version": "3.10"`)
}

// recording is one trigger as a real Mist sent it.
type recording struct {
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
}

func recordings(tb testing.TB) map[string][]recording {
	tb.Helper()
	files, err := filepath.Glob("testdata/*.jsonl")
	require.NoError(tb, err)
	require.NotEmpty(tb, files)
	all := map[string][]recording{}
	for _, file := range files {
		f, err := os.Open(file)
		require.NoError(tb, err)
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, keptBytes)
		for lines.Scan() {
			var r recording
			require.NoError(tb, json.Unmarshal(lines.Bytes(), &r))
			name := strings.TrimSuffix(filepath.Base(file), ".jsonl")
			all[name] = append(all[name], r)
		}
		require.NoError(tb, lines.Err())
		require.NoError(tb, f.Close())
	}
	return all
}

// Every trigger that was recorded of either tree of Mist is understood, and leaves
// in the rows what its recording says.
func TestRecordings(t *testing.T) {
	t.Parallel()
	for scenario, all := range recordings(t) {
		t.Run(scenario, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			bare := "rec" + strings.ReplaceAll(strings.TrimPrefix(scenario, "upstream-"), "_", "")
			for _, r := range all {
				body := strings.ReplaceAll(r.Body, "_+"+bare, "_+"+b.name.String())
				body = strings.ReplaceAll(body, "tr_src_"+bare, b.name.Source())
				body = strings.ReplaceAll(body, "/spool/"+bare+"/", testSpool+"/"+b.name.String()+"/")
				body = strings.ReplaceAll(body, "1_640x360", testRenditions[1]) // of same_size_profiles
				body = strings.ReplaceAll(body, "/proc/nope/", testSpool+"/"+b.name.String()+"/")
				trigger := r.Headers["X-Trigger"]
				event := b.send(t, trigger, []byte(body))
				require.Equal(t, body, string(event.Payload))
				empty := strings.HasSuffix(body, "\n\n") || strings.HasSuffix(body, "null\n")
				want := verdictApplied
				if trigger == "INPUT_ABORT" || trigger == "PUSH_END" || trigger == "LIVE_TRACK_LIST" && empty {
					want = verdictNoted
				}
				require.Equal(t, want, event.Verdict, "%s: %s: %s", trigger, event.Note, body)
			}
			b.requireRows(t, strings.TrimPrefix(scenario, "upstream-"))
		})
	}
}

func (b *testBundle) requireRows(t *testing.T, scenario string) {
	t.Helper()
	rows := b.renditions(t)
	if scenario == "broadcaster_down" {
		require.Nil(t, rows[0].TrackIndex)
		return
	}
	for _, r := range rows[:2] {
		named := r.Name
		require.NotNil(t, r.TrackIndex, named)
		switch {
		case scenario == "push_killed" && named == "1_320x180":
			require.Nil(t, r.RecordedReason)
		case scenario == "push_unwritable":
			require.EqualValues(t, 0, *r.RecordedBytes)
			require.Equal(t, "UNKNOWN", *r.RecordedReason)
		case scenario == "happy" || scenario == "same_size_profiles":
			require.EqualValues(t, 20000, r.PushedMs)
			require.Equal(t, "CLEAN_INTENDED_STOP", *r.RecordedReason)
		default:
			require.Positive(t, *r.RecordedBytes)
		}
	}
}
