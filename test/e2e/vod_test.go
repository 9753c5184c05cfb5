package e2e

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"weir/internal/devstack"
	"weir/secret"
)

// vod is a body as Studio's task runner sends it: one place for each wish, all six words in
// each, and no profiles.
func (b *testBundle) vod(t *testing.T, source secret.Secret, attempt string) map[string]any {
	t.Helper()
	folder := string(b.object(t, "out"))
	place := func(url, name string, word any) map[string]any {
		outputs := map[string]any{"hls": "", "mp4": "", "fragmented_mp4": "", "thumbnails": "", "clip": "", "source_mp4": false}
		outputs[name] = word
		return map[string]any{"type": "object_store", "url": url, "outputs": outputs}
	}
	return map[string]any{
		"external_id": b.prefix, "url": string(source), "callback_url": b.receiver.URL + b.prefix + "?nextStep=finalize&attemptId=" + attempt,
		"output_locations": []any{place(folder, "hls", "enabled"), place(folder, "mp4", "only_short"), place(folder+"/video", "source_mp4", true)},
		"clip_strategy":    map[string]any{},
	}
}

// post posts to Studio's form, and returns the request's id.
func (b *testBundle) post(t *testing.T, body map[string]any) string {
	t.Helper()
	answer, err := b.API.Do(b.ctx, http.MethodPost, "/api/vod", body)
	require.NoError(t, err)
	var accepted map[string]string
	require.NoError(t, json.Unmarshal(answer, &accepted))
	require.Len(t, accepted, 1)
	return accepted["request_id"]
}

func names(transcode *devstack.Transcode) (list []string) {
	for _, r := range transcode.Renditions {
		list = append(list, r.Name)
	}
	return list
}

// TestVOD: what Studio posts comes to its end, with the ladder of its source.
func TestVOD(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		source clip
		ladder []string
	}{
		{"small", plain(), []string{"low-bitrate", "180p0"}},
		{"larger than a rung", clip{name: "large.mp4", args: strings.ReplaceAll(picture, "320x180", "854x480") + tone + x264 + "-b:v 6M -minrate 6M -maxrate 6M -bufsize 6M -x264-params nal-hrd=cbr " + aac}, []string{"360p0", "480p0"}},
		{"hardly any bits", clip{name: "still.mp4", args: "-f lavfi -i color=size=640x360:rate=30:duration=4 -c:v libx264 -preset veryslow -crf 40 -pix_fmt yuv420p -g 300 "}, []string{"low-bitrate", "360p0"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			source, facts := b.source(t, test.source)
			id := b.post(t, b.vod(t, source, "0"))
			require.Equal(t, id, b.post(t, b.vod(t, source, "0")), "the same body is the first one")
			transcode := b.packaged(t, id, facts)
			require.Equal(t, test.ladder, names(transcode))
			last := transcode.Renditions[len(transcode.Renditions)-1]
			require.InDelta(t, facts.Width, last.Width, 15, "of the source's own size, but for its step")
		})
	}
}

// TestVODFailsWithoutRenditions: what the source decides is told, though no ladder was made.
func TestVODFailsWithoutRenditions(t *testing.T) {
	t.Parallel()
	b := setup(t)
	transcode := b.fails(t, b.post(t, b.vod(t, b.missing(t), "0")), failure{"object_missing", "fetch", "input", false})
	require.Empty(t, transcode.Renditions)
}

// TestVODAttempts: another attempt of a task takes the older one's place, of which Studio
// hears no more.
func TestVODAttempts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	source, facts := b.source(t, plain())
	first := b.post(t, b.vod(t, source, "0"))
	second := b.post(t, b.vod(t, source, "1"))
	require.NotEqual(t, first, second)
	b.packaged(t, second, facts)
	replaced, err := b.API.Transcode(b.ctx, first)
	require.NoError(t, err)
	if replaced.State == "cancelled" { // it may have been through before
		require.Equal(t, "superseded", replaced.Callback.State)
		for _, callback := range b.receiver.Callbacks(first) {
			require.False(t, callback.Terminal())
		}
	}
	b.nothingLeft(t, first)
}

// TestBitrateAlone: a profile without a size is of the source's.
func TestBitrateAlone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	source, facts := b.source(t, plain())
	body := b.vod(t, source, "0")
	body["profiles"] = []any{map[string]any{"name": "own", "bitrate": 300_000}}
	transcode := b.packaged(t, b.post(t, body), facts)
	require.Equal(t, []string{"own"}, names(transcode))
	require.Equal(t, [2]int{320, 180}, [2]int{transcode.Renditions[0].Width, transcode.Renditions[0].Height})
}
