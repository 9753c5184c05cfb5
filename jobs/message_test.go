package jobs

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"weir/db/dbsqlc"
)

const (
	callbackDoc = "../docs/callback.md"
	testRequest = "019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071"
	testEvent   = "019ab3c4-9f00-7a01-8b02-3c4d5e6f7081"
)

func subjectAt(ratio float64) subject {
	return subject{
		RequestID: testRequest, ExternalID: "task-4711", Run: 1, Attempt: 1, Ratio: ratio,
		At: time.Unix(1795356725, 0),
	}
}

// golden are the messages whose wire form is in testdata, one of each kind.
func golden() map[string]message {
	queued := subjectAt(0)
	queued.Attempt, queued.ExternalID = 0, ""
	spec := videoSpec{
		Format: "mov,mp4,m4a,3gp,3g2,mj2", Duration: 20, Size: 7340032,
		Tracks: []track{
			track{
				Type: "video", Codec: "h264", Bitrate: 2800000, Duration: 20, Size: 7000000,
				Width: 1280, Height: 720, PixelFormat: "yuv420p",
			}.video(30000.0 / 1001),
			{Type: "audio", Codec: "aac", Bitrate: 128000, Duration: 20, Size: 320000, StartTime: 0.023, Channels: 2, SampleRate: 48000},
		},
	}
	outputs := []output{{Type: outputObjectStore, Videos: []storedFile{
		{Type: fileTS, Size: 2250548, Location: "s3://media/out/720p.ts", Name: "720p", Width: 1280, Height: 720},
		{Type: fileTS, Size: 913304, Location: "s3://media/out/360p.ts", Name: "360p", Width: 640, Height: 360},
	}}}
	success := subjectAt(0.9).success(testEvent, spec, outputs)
	success.Warnings = []Warning{{Code: "size_step", Text: "asked for 642x362, it is 640x360: its longer side has to be a multiple of 16", Rendition: "360p"}}
	success.Metadata, success.Labels = json.RawMessage(`{"asset":"a-17","sizes":[1280,640]}`), json.RawMessage(`{"customer":"acme"}`)
	preparing, prepared, transcoding := queued.message(statusPreparing), subjectAt(0.05).message(statusPreparingComplete), subjectAt(0.625).message(statusTranscoding)
	preparing.Stage, prepared.Stage, transcoding.Stage = StageQueue, StageTranscode, StageTranscode
	transcoding.Speed, transcoding.ETASeconds = new(3.25), new(41.5)
	packaged := subjectAt(0.99).success(testEvent, spec, []output{packagedOutput()})
	transcoding.Missed = []uuid.UUID{uuid.MustParse(testEvent)}
	return map[string]message{
		"success-outputs":     packaged,
		"preparing":           preparing,
		"preparing-completed": prepared,
		"transcoding":         transcoding,
		"success":             success,
		"error-retriable":     subjectAt(0.625).failure(testEvent, "broadcaster_unavailable", "no Broadcaster took the video", true),
		"error":               subjectAt(0).failure(testEvent, "no_video", "the source has no video track", false),
		"cancelled":           subjectAt(0.3).cancelled(testEvent),
	}
}

// packagedOutput is what is told of HLS, MP4 and fragmented MP4, from their rows.
func packagedOutput() output {
	const folder = "s3+https://s3.example.com/media/out/a1b2"
	transcode := dbsqlc.Transcode{Packages: true, OutputURL: folder}
	attempt := folder + "/" + testRequest + "/1"
	row := func(kind, manifest string, objects ...StoredObject) dbsqlc.Output {
		text, err := json.Marshal(objects)
		if err != nil {
			panic(err)
		}
		o := dbsqlc.Output{Type: kind, State: OutputOK, Objects: text}
		if manifest != "" {
			o.ManifestURL = &manifest
		}
		return o
	}
	rows := []dbsqlc.Output{
		row(OutputThumbnails, folder+"/thumbnails/thumbnails.vtt", StoredObject{Kind: ObjectMaster, URL: folder + "/thumbnails/thumbnails.vtt", Bytes: 90, Objects: 1}),
		row(OutputMP4, "",
			StoredObject{Kind: ObjectFile, Rendition: "720p", URL: folder + "/720p.mp4", Bytes: 2150000, Objects: 1, Width: 1280, Height: 720, BitRate: 860000},
			StoredObject{Kind: ObjectFile, Rendition: "360p", URL: folder + "/360p.mp4", Bytes: 870000, Objects: 1, Width: 640, Height: 360, BitRate: 348000}),
		row(OutputFMP4, folder+"/fmp4/master.m3u8",
			StoredObject{Kind: ObjectSegments, URL: attempt + "/fmp4", Bytes: 3000000, Objects: 9},
			StoredObject{Kind: ObjectMaster, URL: folder + "/fmp4/index.mpd", Bytes: 900, Objects: 1},
			StoredObject{Kind: ObjectMaster, URL: folder + "/fmp4/master.m3u8", Bytes: 400, Objects: 1}),
		row(OutputHLS, folder+"/index.m3u8",
			StoredObject{Kind: ObjectSegments, Rendition: "720p", URL: attempt + "/hls/720p", Bytes: 2260000, Objects: 2},
			StoredObject{Kind: ObjectPlaylist, Rendition: "720p", URL: attempt + "/hls/720p/index.m3u8", Bytes: 200, Objects: 1, Width: 1280, Height: 720, BitRate: 980000},
			StoredObject{Kind: ObjectSegments, Rendition: "360p", URL: attempt + "/hls/360p", Bytes: 920000, Objects: 2},
			StoredObject{Kind: ObjectPlaylist, Rendition: "360p", URL: attempt + "/hls/360p/index.m3u8", Bytes: 200, Objects: 1, Width: 640, Height: 360, BitRate: 410000},
			StoredObject{Kind: ObjectMaster, URL: folder + "/index.m3u8", Bytes: 350, Objects: 1}),
		{Type: OutputMP4, State: OutputSkipped},
	}
	place := output{Type: outputObjectStore, Videos: []storedFile{}}
	for i := range rows {
		if err := place.add(&rows[i]); err != nil {
			panic(err)
		}
	}
	place.Manifest = beginning(&transcode, rows, &place)
	return place
}

// Without HLS a player begins with what else there is; the task runner wants a URL below
// the output's folder in any case.
func TestBeginning(t *testing.T) {
	t.Parallel()
	transcode := dbsqlc.Transcode{Packages: true, OutputURL: "s3://b/id"}
	require.Equal(t, "s3://b/id/", beginning(&transcode, nil, &output{}))
	require.Equal(t, "s3://b/id/a.mp4", beginning(&transcode, nil, &output{MP4Outputs: []storedFile{{Location: "s3://b/id/a.mp4"}}}))
	fragments, master := "s3://b/id/fmp4/master.m3u8", "s3://b/id/index.m3u8"
	rows := []dbsqlc.Output{{Type: OutputFMP4, ManifestURL: &fragments}, {Type: OutputHLS, ManifestURL: &master}}
	require.Equal(t, fragments, beginning(&transcode, rows[:1], &output{}))
	require.Equal(t, master, beginning(&transcode, rows, &output{}))
}

func TestWireFormat(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.json")
	require.NoError(t, err)
	require.Len(t, files, len(golden()), "a golden file without its message")
	for name, message := range golden() {
		body, err := message.body()
		require.NoError(t, err)
		var indented bytes.Buffer
		require.NoError(t, json.Indent(&indented, body, "", "  "))
		want, err := os.ReadFile(filepath.Join("testdata", name+".json"))
		require.NoError(t, err)
		require.Equal(t, string(want), indented.String()+"\n", name)
	}
}

func TestMessagesOfTheDocs(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(callbackDoc)
	require.NoError(t, err)
	shown := regexp.MustCompile("(?s)```json (\\S+\\.json)\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	require.Len(t, shown, len(golden()), "%s shows each message once", callbackDoc)
	for _, block := range shown {
		want, err := os.ReadFile(filepath.Join("testdata", block[1]))
		require.NoError(t, err)
		require.Equal(t, string(want), block[2], block[1])
	}
}

// What the task runner decodes into, by its own field names and types.
func TestWireFormatAsTaskRunnerReadsIt(t *testing.T) {
	t.Parallel()
	type taskRunner struct {
		RequestID       string  `json:"request_id"`
		CompletionRatio float64 `json:"completion_ratio"`
		Status          string  `json:"status"`
		Timestamp       int64   `json:"timestamp"`
		Error           string  `json:"error"`
		Unretriable     bool    `json:"unretriable"`
		Type            string  `json:"type"`
		InputVideo      struct {
			Format    string  `json:"format"`
			Duration  float64 `json:"duration"`
			SizeBytes int64   `json:"size"`
			Tracks    []struct {
				Type     string  `json:"type"`
				Duration float64 `json:"duration"`
				Start    float64 `json:"start_time"`
				Width    int64   `json:"width"`
				FPS      float64 `json:"fps"`
				Channels int     `json:"channels"`
			} `json:"tracks"`
		} `json:"video_spec"`
		Outputs []struct {
			Type     string `json:"type"`
			Manifest string `json:"manifest"`
			Videos   []struct {
				Type      string `json:"type"`
				SizeBytes int64  `json:"size"`
				Location  string `json:"location"`
			} `json:"videos"`
		} `json:"outputs"`
	}
	body, err := golden()["success"].body()
	require.NoError(t, err)
	var got taskRunner
	require.NoError(t, json.Unmarshal(body, &got))
	require.Equal(t, testRequest, got.RequestID)
	require.Equal(t, "success", got.Status)
	require.Equal(t, "video", got.Type)
	require.InDelta(t, 1, got.CompletionRatio, 0)
	require.Len(t, got.InputVideo.Tracks, 2)
	require.InDelta(t, 29.97, got.InputVideo.Tracks[0].FPS/1000, 0.001, "it divides by 1000")
	require.Equal(t, "object_store", got.Outputs[0].Type)
	require.Equal(t, int64(913304), got.Outputs[0].Videos[1].SizeBytes)
}

func TestRatioStaysInBounds(t *testing.T) {
	t.Parallel()
	for given, want := range map[float64]float64{-1: 0, 2: 1, math.Inf(1): 1, math.Inf(-1): 0, 0.5: 0.5} {
		require.InDelta(t, want, subjectAt(given).message(statusTranscoding).CompletionRatio, 0)
	}
	require.Zero(t, subjectAt(math.NaN()).message(statusTranscoding).CompletionRatio)
	body, err := subjectAt(0).success(testEvent, videoSpec{}, nil).body()
	require.NoError(t, err)
	require.Contains(t, string(body), `"tracks":[]`)
	require.Contains(t, string(body), `"completion_ratio":1,`)
}

func TestBodyKeepsToText(t *testing.T) {
	t.Parallel()
	body, err := subjectAt(0).failure(testEvent, "internal", "bad \x00 \xff bytes", false).body()
	require.NoError(t, err)
	require.NotContains(t, string(body), "\x00")
	require.True(t, json.Valid(body))
}
