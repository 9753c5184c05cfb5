package triggers

import (
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"github.com/stretchr/testify/require"

	"weir/db/dbsqlc"
	"weir/jobs"
	"weir/jobs/doctor"
)

// One that came too early, or whose effect was lost, is made good; again and again it comes
// to the same.
func TestReplay(t *testing.T) {
	t.Parallel()
	b := setup(t)
	worker := &replayWorker{listener: b.listener}
	replay := func(id int64) dbsqlc.MistEvent {
		require.NoError(t, worker.Work(t.Context(), &river.Job[jobs.ReplayArgs]{JobRow: &rivertype.JobRow{}, Args: jobs.ReplayArgs{EventID: id}}))
		row, err := dbsqlc.New().MistEventGet(t.Context(), b.pool, id)
		require.NoError(t, err)
		return row
	}
	stream := b.name.Rendition()
	event := b.send(t, "RECORDING_END", recorded(stream, target(b.name, "1_320x180")))
	require.Equal(t, verdictApplied, event.Verdict)
	_, err := b.pool.Exec(t.Context(), "UPDATE weir.renditions SET recorded_bytes = NULL, recorded_reason = NULL")
	require.NoError(t, err)
	for range 2 {
		again := replay(event.ID)
		require.Equal(t, verdictApplied, again.Verdict)
		require.Contains(t, again.Note, "replayed: 2250548 bytes")
		require.EqualValues(t, 2250548, *b.renditions(t)[1].RecordedBytes)
	}

	// What was applied and changes nothing any more stays written as it was.
	tracks := b.send(t, "LIVE_TRACK_LIST", trackList(stream, 3))
	require.Equal(t, verdictApplied, tracks.Verdict)
	again := replay(tracks.ID)
	require.Equal(t, []string{verdictApplied, tracks.Note}, []string{again.Verdict, again.Note})

	// Of the past it stays, whoever asks.
	require.NoError(t, dbsqlc.New().RenditionExpect(t.Context(), b.pool, dbsqlc.RenditionExpectParams{TranscodeIds: []uuid.UUID{b.name.Transcode}, Attempts: []int32{2}}))
	require.Nil(t, b.renditions(t)[1].RecordedBytes)
	replay(event.ID)
	require.Nil(t, b.renditions(t)[1].RecordedBytes)

	require.ErrorContains(t, worker.Work(t.Context(), &river.Job[jobs.ReplayArgs]{JobRow: &rivertype.JobRow{}, Args: jobs.ReplayArgs{EventID: 1 << 40}}), "is gone")
	require.ErrorContains(t, (&replayWorker{}).Work(t.Context(), &river.Job[jobs.ReplayArgs]{JobRow: &rivertype.JobRow{}}), "no Mist")
}

// What doctor posts is recorded as that, is of nobody, and keeps nothing of what was sent.
func TestProbe(t *testing.T) {
	t.Parallel()
	b := setup(t)
	event := b.send(t, doctor.ProbeTrigger, pushEnded(b.name.Rendition(), target(b.name, "0_640x360")))
	require.Equal(t, []string{doctor.ProbeTrigger, verdictNoted, "doctor looks whether triggers arrive"}, []string{event.Trigger, event.Verdict, event.Note})
	require.Nil(t, event.TranscodeID)
	require.Empty(t, event.Payload)
	require.Empty(t, b.woken)

	taken, err := dbsqlc.New().MistEventTakeProbe(t.Context(), b.pool, event.UUID)
	require.NoError(t, err)
	require.Equal(t, []string{testHost, verdictNoted}, []string{taken.HostID, taken.Verdict})
	_, err = dbsqlc.New().MistEventTakeProbe(t.Context(), b.pool, event.UUID)
	require.ErrorIs(t, err, pgx.ErrNoRows)
	other := b.send(t, "PUSH_END", pushEnded("live+other", "/x.ts"))
	_, err = dbsqlc.New().MistEventTakeProbe(t.Context(), b.pool, other.UUID)
	require.ErrorIs(t, err, pgx.ErrNoRows, "no other is taken away")
}
