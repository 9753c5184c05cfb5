package triggers

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"weir/mist"
)

// arrive is an event as it was posted.
func (b *testBundle) arrive(trigger, id string, payload []byte) *arrival {
	p := &post{trigger: trigger, headers: []byte("{}"), payload: payload, size: int64(len(payload))}
	if id != "" {
		p.uuid = &id
	}
	return &arrival{posted: b.listener.read(p)}
}

// begin posts one, and gives its answer's status when that comes.
func (b *testBundle) begin(t *testing.T, trigger string, payload []byte) <-chan int {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", bytes.NewReader(payload))
	r.RemoteAddr = "127.0.0.1:1"
	r.Header.Set("X-Trigger", trigger)
	r.Header.Set("X-Trigger-UUID", uuid.NewString())
	answered := make(chan int, 1)
	go func() {
		w := httptest.NewRecorder()
		b.listener.ServeHTTP(w, r)
		answered <- w.Code
	}()
	return answered
}

// Events that are recorded in one statement leave what they would have left one after the other.
func TestTogether(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other := mist.Name{Transcode: addTranscode(t, b.pool), Attempt: 1}
	stream, file := b.name.Rendition(), target(b.name, "0_640x360")
	known := uuid.NewString()
	require.NoError(t, b.listener.together(t.Context(), []*arrival{b.arrive("PUSH_END", known, pushEnded(stream, file))}))
	twice := uuid.NewString()
	longer := []byte(stream + "\n" + file + "\nHTTPTS\n7\n7\n1\n8\n9000\n23\n20023\nCLEAN_EOF\nend\n")
	all := []*arrival{
		b.arrive("LIVE_TRACK_LIST", uuid.NewString(), trackList(stream, 1)), // track 0 is rendition 0
		b.arrive("LIVE_TRACK_LIST", uuid.NewString(), trackList(stream, 3)), // track 2 is, and it comes second
		b.arrive("LIVE_TRACK_LIST", uuid.NewString(), trackList(stream, 3)),
		b.arrive("RECORDING_END", uuid.NewString(), recorded(stream, file)),
		b.arrive("RECORDING_END", twice, longer), // the last counts, the time does not go down
		b.arrive("RECORDING_END", twice, longer),
		b.arrive("PUSH_END", known, pushEnded(stream, file)),
		b.arrive("PUSH_END", "", pushEnded(stream, file)),
		b.arrive("PUSH_END", "", pushEnded(stream, file)),
		b.arrive("LIVE_TRACK_LIST", uuid.NewString(), trackList(other.Rendition(), 2)),
		b.arrive("LIVE_TRACK_LIST", uuid.NewString(), trackList(mist.Name{Transcode: other.Transcode, Attempt: 2}.Rendition(), 3)),
		b.arrive("STREAM_END", uuid.NewString(), []byte("junk")),
	}
	want := []struct {
		recorded bool
		verdict  string
	}{
		{true, verdictApplied},
		{true, verdictApplied},
		{true, verdictNoted},
		{true, verdictApplied},
		{true, verdictApplied},
		{false, verdictApplied},
		{false, verdictNoted},
		{true, verdictNoted},
		{true, verdictNoted},
		{true, verdictApplied},
		{true, verdictStale},
		{true, verdictUnmatched},
	}
	require.NoError(t, b.listener.together(t.Context(), all))
	for i, a := range all {
		require.Equal(t, want[i].recorded, a.recorded, i)
		require.Equal(t, want[i].verdict, a.event.row.Verdict, i)
	}
	rows := b.events(t)
	require.Len(t, rows, 11)
	at := len(rows) - 2 // newest first, behind that of before
	for i, a := range all {
		if a.recorded {
			require.Equal(t, a.event.row.Trigger, rows[at].Trigger, i)
			require.Equal(t, a.event.row.Verdict, rows[at].Verdict, i)
			require.Equal(t, a.event.row.TranscodeID, rows[at].TranscodeID, i)
			at--
		}
	}
	renditions := b.renditions(t)
	for i, index := range []int32{0, 1, 0} {
		require.Equal(t, index, *renditions[i].TrackIndex, i)
	}
	require.EqualValues(t, 7, *renditions[0].RecordedBytes)
	require.Equal(t, "CLEAN_EOF", *renditions[0].RecordedReason)
	require.EqualValues(t, 20000, renditions[0].PushedMs)
	require.Nil(t, renditions[1].RecordedBytes)
	b.name = other
	renditions = b.renditions(t)
	require.NotNil(t, renditions[1].TrackIndex)
	require.Nil(t, renditions[2].TrackIndex, "of an attempt that there is not")

	// Again, as where it is not known whether it was committed: nothing comes twice.
	again := all[:2]
	require.NoError(t, b.listener.together(t.Context(), again))
	require.False(t, again[0].recorded || again[1].recorded)
	require.Len(t, b.events(t), 11)
}

// A trigger is answered behind its commit, and one that waits for a row holds up no other.
func TestAnsweredBehindTheCommit(t *testing.T) {
	t.Parallel()
	b := setup(t)
	stream, file := b.name.Rendition(), target(b.name, "0_640x360")
	holder, err := b.pool.Begin(t.Context())
	require.NoError(t, err)
	_, err = holder.Exec(t.Context(), "UPDATE weir.renditions SET bitrate = bitrate + 1 WHERE transcode_id = $1 AND name = '0_640x360'", b.name.Transcode)
	require.NoError(t, err)
	answered := b.begin(t, "RECORDING_END", recorded(stream, file))
	b.waitForLock(t)
	for range 2 { // the first of them may share its fate, and then goes alone
		require.Equal(t, http.StatusOK, b.post(t, "RECORDING_END", uuid.NewString(), recorded(stream, target(b.name, "1_320x180"))))
	}
	require.Empty(t, answered, "nothing is committed")
	require.Len(t, b.events(t), 2)
	require.NoError(t, holder.Commit(t.Context()))
	require.Equal(t, http.StatusOK, <-answered)
	require.Len(t, b.events(t), 3)
	require.EqualValues(t, 2250548, *b.renditions(t)[0].RecordedBytes)
}

// What the rows said when they were read may be over when the event is written.
func TestOvertaken(t *testing.T) {
	t.Parallel()
	b := setup(t)
	stream, file := b.name.Rendition(), target(b.name, "0_640x360")
	taken, err := b.pool.Begin(t.Context())
	require.NoError(t, err)
	_, err = taken.Exec(t.Context(), "UPDATE weir.renditions SET state = 'pushed', pushed_at = now() WHERE transcode_id = $1 AND name = '0_640x360'", b.name.Transcode)
	require.NoError(t, err)
	answered := b.begin(t, "RECORDING_END", recorded(stream, file))
	b.waitForLock(t)
	require.NoError(t, taken.Commit(t.Context()))
	require.Equal(t, http.StatusOK, <-answered)
	event := b.events(t)[0]
	require.Equal(t, verdictStale, event.Verdict)
	require.Contains(t, event.Note, "rendition 0_640x360 is pushed already")
	require.Nil(t, b.renditions(t)[0].RecordedBytes)
	require.Empty(t, b.woken)
}

// waitForLock returns when somebody waits for a row.
func (b *testBundle) waitForLock(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() (waits bool) {
		err := b.pool.QueryRow(t.Context(), "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()").Scan(&waits)
		return err == nil && waits
	}, patience, time.Millisecond)
}
