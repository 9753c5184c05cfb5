package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"weir/internal/devstack"
	"weir/secret"
)

// longPart are the facts of long's pictures from 1250 ms up to 4750: from its 38th on, none of
// which lies at a keyframe.
func longPart(of devstack.Facts) devstack.Facts {
	of.Frames, of.Duration = 105, 3500*time.Millisecond
	return of
}

// TestClip: the part of a file that was asked for is all that its transcode is of.
func TestClip(t *testing.T) {
	t.Parallel()
	b := setup(t)
	source, facts := b.source(t, long())
	req := b.request(t, source, sized("large", 320, 180), sized("small", 160, 96))
	req.Clip = &devstack.Part{StartMS: 1250, EndMS: 4750}
	req.Outputs = []devstack.Wanted{{Type: "ts"}, {Type: "source", URL: string(b.object(t, "out/copy.mp4"))}}
	transcode := b.succeeds(t, b.submit(t, req), longPart(facts))
	require.InDelta(t, 3500, transcode.Source.DurationMS, 1)

	local := filepath.Join(t.TempDir(), "copy.mp4")
	require.NoError(t, b.S3.Download(b.ctx, b.Bucket, b.prefix+"/out/copy.mp4", local))
	copied, err := devstack.Probe(b.ctx, local)
	require.NoError(t, err)
	require.Equal(t, facts.Frames, copied.Frames, "the copy is the source as it is")
}

// TestClipOutside: a source has no part behind its end, and no attempt would find one.
func TestClipOutside(t *testing.T) {
	t.Parallel()
	b := setup(t)
	source, _ := b.source(t, plain())
	req := b.request(t, source)
	req.Clip = &devstack.Part{StartMS: 1000, EndMS: 4000}
	transcode := b.fails(t, b.submit(t, req), failure{"clip_outside", "probe", "input", false})
	require.Contains(t, transcode.Error.Message, "1.000 s to 4.000 s")
}

// timed matches the time of day of a playlist's first segment.
var timed = regexp.MustCompile(`(?m)^#EXT-X-PROGRAM-DATE-TIME:(.*)\n`)

// TestClipOfARecording: Studio's clips are of recordings, by their times of day.
func TestClipOfARecording(t *testing.T) {
	t.Parallel()
	b := setup(t)
	dir, facts := b.recording(t, long(), "-hls_flags program_date_time -hls_segment_filename DIR/%d.ts")
	text, err := os.ReadFile(filepath.Join(dir, "index.m3u8"))
	require.NoError(t, err)
	begins, err := time.Parse("2006-01-02T15:04:05.000Z0700", string(timed.FindSubmatch(text)[1]))
	require.NoError(t, err)
	source := b.uploadAll(t, dir, "index.m3u8")

	body := b.vodClip(t, source, "0", begins.Add(1250*time.Millisecond), begins.Add(4750*time.Millisecond))
	part := longPart(facts)
	transcode := b.packaged(t, b.post(t, body), part)
	last := transcode.Outputs[len(transcode.Outputs)-1]
	require.Equal(t, "hls", last.Type)
	b.plays(t, b.player(t), last.Manifest, part)

	// Who asked while it went on may have asked for more than there came to be.
	part.Frames, part.Duration = facts.Frames-38, facts.Duration-1250*time.Millisecond
	b.packaged(t, b.post(t, b.vodClip(t, source, "1", begins.Add(1250*time.Millisecond), begins.Add(time.Hour))), part)
	b.fails(t, b.post(t, b.vodClip(t, source, "2", begins.Add(time.Hour), begins.Add(2*time.Hour))), failure{"clip_outside", "probe", "input", false})

	require.NoError(t, os.WriteFile(filepath.Join(dir, "untimed.m3u8"), timed.ReplaceAll(text, nil), 0o600))
	source = b.uploadAll(t, dir, "untimed.m3u8")
	b.fails(t, b.post(t, b.vodClip(t, source, "3", begins, begins.Add(time.Second))), failure{"clip_untimed", "probe", "input", false})
}

// vodClip is a body as Studio's task runner sends it for a part of a recording.
func (b *testBundle) vodClip(t *testing.T, source secret.Secret, attempt string, start, end time.Time) map[string]any {
	t.Helper()
	body := b.vod(t, source, attempt)
	body["clip_strategy"] = map[string]any{"playback_id": "recording", "start_time": start.UnixMilli(), "end_time": end.UnixMilli()}
	locations, is := body["output_locations"].([]any)
	require.True(t, is)
	body["output_locations"] = append(locations, map[string]any{
		"type": "object_store", "url": string(b.object(t, "in/clip_of_it")), "outputs": map[string]any{"clip": "enabled"},
	})
	return body
}
