package e2e

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"weir/internal/devstack"
)

func TestSuccess(t *testing.T) {
	t.Parallel()
	ladder := []devstack.Profile{sized("own", 320, 180), sized("less", 208, 120), sized("least", 160, 90)}
	bFrames := "-c:v libx264 -preset veryfast -bf 3 -pix_fmt yuv420p -g 30 -sc_threshold 0 "
	for _, test := range []struct {
		name     string
		source   clip
		profiles []devstack.Profile
		sizes    [][2]int
	}{
		{"ladder of three", plain(), ladder, [][2]int{{320, 180}, {208, 118}, {160, 90}}},
		{"ladder of Studio", plain(), []devstack.Profile{sized("720p", 1280, 720), sized("480p", 854, 480), sized("360p", 640, 360)}, [][2]int{{1280, 720}, {848, 478}, {640, 360}}},
		{"one rendition", plain(), ladder[:1], [][2]int{{320, 180}}},
		{"two of one size", plain(), []devstack.Profile{sized("a", 160, 96), sized("b", 160, 96)}, [][2]int{{160, 90}, {160, 90}}},
		{"4:3", clip{name: "old.mp4", args: strings.ReplaceAll(plain().args, "320x180", "320x240")}, []devstack.Profile{sized("wide", 320, 180)}, [][2]int{{240, 180}}},
		{"upright", clip{name: "up.mp4", args: strings.ReplaceAll(plain().args, "320x180", "180x320")}, []devstack.Profile{sized("across", 640, 360)}, [][2]int{{360, 640}}},
		{"mov with B-frames", clip{name: "b.mov", args: picture + tone + bFrames + aac}, ladder[1:2], [][2]int{{208, 118}}},
		{"mkv with Opus", clip{name: "b.mkv", args: picture + tone + bFrames + "-c:a libopus "}, ladder[1:2], [][2]int{{208, 118}}},
		{"ts with MP2", clip{name: "b.ts", args: picture + tone + bFrames + "-c:a mp2 "}, ladder[1:2], [][2]int{{208, 118}}},
		{"rotated", clip{name: "r.mp4", args: plain().args, remux: "-c copy -metadata:s:v rotate=90"}, []devstack.Profile{sized("tiny", 96, 160)}, [][2]int{{146, 260}}},
		{"odd size", clip{name: "odd.mp4", args: "-f lavfi -i testsrc2=size=161x91:rate=30:duration=2 -c:v libx264 -preset ultrafast -pix_fmt yuv444p -g 30 "}, ladder[2:], [][2]int{{160, 90}}},
		{"a clock of its own", clip{name: "clock.mp4", args: picture + tone + "-fps_mode passthrough -enc_time_base 1:15360 " + x264 + aac}, ladder[2:], [][2]int{{160, 90}}},
		{"silent", clip{name: "mute.mp4", args: picture + x264}, ladder[2:], [][2]int{{160, 90}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			source, facts := b.source(t, test.source)
			id := b.submit(t, b.request(t, source, test.profiles...))
			transcode := b.succeeds(t, id, facts)
			require.Equal(t, 1, transcode.Attempt)
			for i, rendition := range transcode.Renditions {
				require.Equal(t, test.profiles[i].Name, rendition.Name, "in the order of the profiles")
				size := [2]int{rendition.Width, rendition.Height}
				require.Equal(t, test.sizes[i], size, "size of %s", rendition.Name)
			}
		})
	}
}

func TestSameExternalID(t *testing.T) {
	t.Parallel()
	b := setup(t)
	source, facts := b.source(t, plain())
	req := b.request(t, source)
	req.ExternalID = b.prefix
	id := b.submit(t, req)
	require.Equal(t, id, b.submit(t, req), "while it runs")
	b.succeeds(t, id, facts)
	require.Equal(t, id, b.submit(t, req), "after its end")

	req.Profiles[0].Bitrate++
	_, err := b.API.Do(b.ctx, http.MethodPost, "/v1/transcodes", req)
	var refused *devstack.StatusError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, http.StatusConflict, refused.Status)
	require.Contains(t, refused.Body, "external_id")
}

func TestOldForm(t *testing.T) {
	t.Parallel()
	b := setup(t)
	source, facts := b.source(t, plain())
	answer, err := b.API.Do(b.ctx, http.MethodPost, "/api/transcode/file", map[string]any{
		"source_location": string(source), "callback_url": b.receiver.URL + b.prefix, "manifestID": "m", "verificationFreq": 1,
		"profiles": []devstack.Profile{sized("small", 160, 96)},
	})
	require.NoError(t, err)
	var accepted struct {
		RequestID string `json:"request_id"`
	}
	require.NoError(t, json.Unmarshal(answer, &accepted))
	transcode := b.succeeds(t, accepted.RequestID, facts)
	beside := path.Join(b.prefix, "in") + "/"
	require.Contains(t, b.key(t, transcode.Renditions[0].Location), beside, "renditions go beside the source")
}

func TestSourceOverHTTP(t *testing.T) {
	t.Parallel()
	b := setup(t)
	local := plain().file(t)
	facts, err := devstack.Probe(b.ctx, local)
	require.NoError(t, err)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, local) }))
	t.Cleanup(server.Close)
	req := b.request(t, "")
	req.Source.URL = server.URL + "/films/plain.mp4?signature=0"
	transcode := b.succeeds(t, b.submit(t, req), facts)
	require.NotContains(t, transcode.Source.Location, "signature")
}
