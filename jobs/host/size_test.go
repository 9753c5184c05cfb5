package host

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"weir/db/dbsqlc"
	"weir/engine"
	"weir/internal/devstack"
	"weir/jobs"
	"weir/jobs/jobstest"
	"weir/media"
	"weir/mist"
)

// prepared brings a transcode to where its source, a clip, is prepared.
func prepared(t *testing.T, b *jobstest.Bundle, req *jobs.Request, clip devstack.Clip) (*supervisor, jobs.Rows) {
	t.Helper()
	boot := b.Boot(t, jobstest.Host, 4)
	transcode := b.Place(t, b.AcceptRequest(t, req).ID, jobstest.Host)
	s := &supervisor{
		host: &Host{ID: jobstest.Host, BootID: boot, DB: b.Pool, Engine: &mist.Engine{}, Media: &media.Tools{}, Log: jobstest.Silent(), Spool: t.TempDir(), Broadcasters: []string{"http://b"}},
		name: engine.Name{Transcode: transcode.ID, Attempt: int(transcode.Attempt)}, log: jobstest.Silent(),
	}
	require.NoError(t, s.takeUp(t.Context(), 1))
	path := s.host.sourcePath(s.name)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), spoolMode))
	require.NoError(t, devstack.MakeClip(t.Context(), path+".ts", clip))
	require.NoError(t, os.Rename(path+".ts", path))
	bytes, etag := fileBytes(path), ""
	_, err := dbsqlc.New().AttemptSetFetched(t.Context(), b.Pool, dbsqlc.AttemptSetFetchedParams{
		TranscodeID: transcode.ID, Number: transcode.Attempt, BootID: &boot, SourceBytes: &bytes, SourceEtag: &etag,
	})
	require.NoError(t, err)
	rows, err := s.load(t.Context())
	require.NoError(t, err)
	require.NoError(t, s.prepare(t.Context(), &rows))
	rows, err = s.load(t.Context())
	require.NoError(t, err)
	require.Equal(t, jobs.AttemptPrepared, rows.Attempt.Stage)
	return s, rows
}

// A source of 4:3: what is planned, asked of Mist and told is of its aspect, and fps,
// its seconds and quality go the whole way.
func TestPreparePlansRenditions(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	req := jobstest.MakeRequest("")
	req.Profiles = []jobs.Profile{
		{Name: "wide", Width: 640, Height: 360, Bitrate: 800_000, FPS: 30000, FPSDen: 1001, Quality: 27, GOP: "2.0"},
		{Name: "own", Width: 320, Height: 240, Bitrate: 500_000, FPS: 25, GOP: "2.0", CodecProfile: "H264Main"},
		{Name: "tiny", Width: 64, Height: 48, Bitrate: 100_000},
	}
	s, rows := prepared(t, b, req, devstack.Clip{Width: 320, Height: 240, Duration: 2 * time.Second})
	var sizes []engine.Size
	for i := range rows.Renditions {
		sizes = append(sizes, plannedSize(&rows.Renditions[i]))
	}
	require.Equal(t, []engine.Size{{Width: 480, Height: 360}, {Width: 320, Height: 240}, {Width: 146, Height: 110}}, sizes)
	require.InDelta(t, 29.97, frameRate(&rows.Renditions[0]), 0.001)
	require.InDelta(t, 25, frameRate(&rows.Renditions[1]), 0)

	task, err := s.task(t.Context(), &rows)
	require.NoError(t, err)
	require.Equal(t, []engine.Profile{
		{Name: "wide", Bitrate: 800_000, Quality: 27, Width: 480, Height: 352, FPS: 30, GOP: "2.0"},
		{Name: "own", Bitrate: 500_000, Width: 320, Height: 240, FPS: 25, GOP: "2.0", Profile: "H264Main"},
		{Name: "tiny", Bitrate: 100_000, Width: 144, Height: 96, FPS: 30},
	}, task.Profiles)
	for i, p := range task.Profiles {
		require.Equal(t, mist.Size(sizes[i]), mist.ReturnedSize(mist.Size{Width: 320, Height: 240}, mist.Size{Width: p.Width, Height: p.Height}.Floored()))
	}

	warnings, err := jobs.WarningsOf(&rows.Transcode)
	require.NoError(t, err)
	var said []string
	for _, w := range warnings {
		said = append(said, w.Rendition+" "+w.Code)
	}
	require.Equal(t, []string{"wide size_aspect", "wide quality_unverified", "tiny size_clamped"}, said)
	require.Equal(t, "asked for 640x360, it is 480x360: it keeps the source's aspect", warnings[0].Text)

	// The end tells them.
	_, err = b.Transcodes.Cancel(t.Context(), "", rows.Transcode.ID)
	require.NoError(t, err)
	var body struct{ Warnings []jobs.Warning }
	var text string
	require.NoError(t, b.Pool.QueryRow(t.Context(), "SELECT body FROM weir.callbacks WHERE transcode_id = $1", rows.Transcode.ID).Scan(&text))
	require.NoError(t, json.Unmarshal([]byte(text), &body))
	require.Equal(t, warnings, body.Warnings)
}

// What is ok keeps its size, and so does what another attempt works on.
func TestPlanSizesIsFenced(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	transcode := b.Run(t, "ok", "open")
	require.NoError(t, b.Store(t.Context(), &transcode, "ok"))
	renditions, err := dbsqlc.New().RenditionList(t.Context(), b.Pool, transcode.ID)
	require.NoError(t, err)
	require.Len(t, renditions, 2)
	planned := func(attempt int32, source engine.Size) []int32 {
		t.Helper()
		require.NoError(t, (&supervisor{host: &Host{Engine: &mist.Engine{}}, name: engine.Name{Transcode: transcode.ID, Attempt: int(attempt)}}).planSizes(t.Context(), b.Pool, renditions, &media.Prepared{Width: source.Width, Height: source.Height}))
		now, err := dbsqlc.New().RenditionList(t.Context(), b.Pool, transcode.ID)
		require.NoError(t, err)
		return []int32{*now[0].PlannedWidth, *now[1].PlannedWidth}
	}
	require.Equal(t, []int32{640, 464}, planned(transcode.Attempt, engine.Size{Width: 640, Height: 480}))
	require.Equal(t, []int32{640, 464}, planned(transcode.Attempt+1, engine.Size{Width: 1280, Height: 720}))
}

func TestPlannedSizeOfNone(t *testing.T) {
	t.Parallel()
	require.Zero(t, plannedSize(&dbsqlc.Rendition{TranscodeID: uuid.New(), Width: 640, Height: 360}))
}
