package studio

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	testRequest = "019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071"
	testEvent   = "019ab3c4-9f00-7a01-8b02-3c4d5e6f7081"
)

func subject(ratio float64) Subject {
	return Subject{
		RequestID: testRequest, ExternalID: "task-4711", Attempt: 1, Ratio: ratio,
		At: time.Unix(1795356725, 0),
	}
}

// golden are the messages whose wire form is in testdata, one of each kind.
func golden() map[string]Message {
	queued := subject(0)
	queued.Attempt, queued.ExternalID = 0, ""
	spec := VideoSpec{
		Format: "mov,mp4,m4a,3gp,3g2,mj2", Duration: 20, Size: 7340032,
		Tracks: []Track{
			Track{
				Type: "video", Codec: "h264", Bitrate: 2800000, Duration: 20, Size: 7000000,
				Width: 1280, Height: 720, PixelFormat: "yuv420p",
			}.Video(30000.0 / 1001),
			{Type: "audio", Codec: "aac", Bitrate: 128000, Duration: 20, Size: 320000, StartTime: 0.023, Channels: 2, SampleRate: 48000},
		},
	}
	outputs := []Output{{Type: OutputObjectStore, Videos: []File{
		{Type: FileTS, Size: 2250548, Location: "s3://media/out/720p.ts", Name: "720p", Width: 1280, Height: 720},
		{Type: FileTS, Size: 913304, Location: "s3://media/out/360p.ts", Name: "360p", Width: 640, Height: 360},
	}}}
	success := Success(subject(0.9), testEvent, spec, outputs)
	success.Warnings = []Warning{{Code: "size_step", Text: "asked for 642x362, it is 640x360: its longer side has to be a multiple of 16", Rendition: "360p"}}
	return map[string]Message{
		"preparing":           Progress(queued, StatusPreparing),
		"preparing-completed": Progress(subject(0.05), StatusPreparingComplete),
		"transcoding":         Progress(subject(0.625), StatusTranscoding),
		"success":             success,
		"error-retriable":     Failure(subject(0.625), testEvent, "broadcaster_unavailable", "no Broadcaster took the video", true),
		"error":               Failure(subject(0), testEvent, "no_video", "the source has no video track", false),
		"cancelled":           Cancelled(subject(0.3), testEvent),
	}
}

func TestWireFormat(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.json")
	require.NoError(t, err)
	require.Len(t, files, len(golden()), "a golden file without its message")
	for name, message := range golden() {
		body, err := message.Body()
		require.NoError(t, err)
		var indented bytes.Buffer
		require.NoError(t, json.Indent(&indented, body, "", "  "))
		want, err := os.ReadFile(filepath.Join("testdata", name+".json"))
		require.NoError(t, err)
		require.Equal(t, string(want), indented.String()+"\n", name)
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
	body, err := golden()["success"].Body()
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
		require.InDelta(t, want, Progress(subject(given), StatusTranscoding).CompletionRatio, 0)
	}
	require.Zero(t, Progress(subject(math.NaN()), StatusTranscoding).CompletionRatio)
	body, err := Success(subject(0), testEvent, VideoSpec{}, nil).Body()
	require.NoError(t, err)
	require.Contains(t, string(body), `"tracks":[]`)
	require.Contains(t, string(body), `"completion_ratio":1,`)
}

func TestBodyKeepsToText(t *testing.T) {
	t.Parallel()
	body, err := Failure(subject(0), testEvent, "internal", "bad \x00 \xff bytes", false).Body()
	require.NoError(t, err)
	require.NotContains(t, string(body), "\x00")
	require.True(t, json.Valid(body))
}
