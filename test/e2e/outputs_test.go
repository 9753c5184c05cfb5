package e2e

import (
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"weir/internal/devstack"
)

// outputs are of every type, of one request.
func (b *testBundle) outputs(t *testing.T) []devstack.Wanted {
	t.Helper()
	return []devstack.Wanted{
		{Type: "hls", SegmentSeconds: 1}, {Type: "mp4", OnlyShort: true}, {Type: "fmp4", SegmentSeconds: 1},
		{Type: "source", URL: string(b.object(t, "out/video"))}, {Type: "thumbnails", SegmentSeconds: 1},
	}
}

// player shows this test's bucket.
func (b *testBundle) player(t *testing.T) *devstack.Player {
	t.Helper()
	player, err := b.S3.StartPlayer(b.ctx, b.Bucket)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, player.Close()) })
	return player
}

// plays looks at what is at a location as a player does, which finds the rest by itself.
func (b *testBundle) plays(t *testing.T, player *devstack.Player, location string, source devstack.Facts) {
	t.Helper()
	address, err := player.Of(b.Bucket, location)
	require.NoError(t, err)
	facts, err := devstack.Probe(b.ctx, address)
	require.NoError(t, err)
	require.Equal(t, source.Frames, facts.Frames, "frames of %s", location)
	require.Equal(t, source.Audio, facts.Audio, "sound of %s", location)
}

// packaged waits for the success of a request for HLS, and plays what the callback names.
func (b *testBundle) packaged(t *testing.T, id string, source devstack.Facts) *devstack.Transcode {
	t.Helper()
	transcode := b.ends(t, id)
	require.Equal(t, "succeeded", transcode.State, "%+v", transcode.Error)
	callback := b.callback(t, transcode)
	require.Equal(t, "success", callback.Status)
	require.Len(t, callback.Outputs, 1, "whatever is asked for")
	told := callback.Outputs[0]
	require.Equal(t, path.Join(b.prefix, "out", "index.m3u8"), b.key(t, told.Manifest))
	require.InDelta(t, source.Duration.Seconds(), callback.VideoSpec.Duration, durationSlack.Seconds()+frame(source).Seconds())
	player := b.player(t)
	b.plays(t, player, told.Manifest, source)
	require.Len(t, told.Videos, len(transcode.Renditions))
	for _, video := range told.Videos {
		b.plays(t, player, video.Location, source)
	}
	b.nothingLeft(t, id)
	return transcode
}

// lineOf are the lines of an object that end so.
func (b *testBundle) lineOf(t *testing.T, key, end string) (lines []string) {
	t.Helper()
	local := filepath.Join(t.TempDir(), "object")
	require.NoError(t, b.S3.Download(b.ctx, b.Bucket, key, local))
	text, err := os.ReadFile(local)
	require.NoError(t, err)
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); strings.HasSuffix(line, end) {
			lines = append(lines, line)
		}
	}
	return lines
}

// All that is asked for stands, and plays; what nobody asked for is gone.
func TestOutputs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	source, facts := b.source(t, clip{name: "mp2.ts", args: picture + tone + x264 + "-c:a mp2 "})
	req := b.request(t, source, sized("large", 320, 180), sized("small", 160, 90))
	req.Outputs = b.outputs(t)
	id := b.submit(t, req)
	transcode := b.ends(t, id)
	require.Equal(t, "succeeded", transcode.State, "%+v", transcode.Error)
	callback := b.callback(t, transcode)
	require.Len(t, callback.Outputs, 1, "whatever is asked for")
	told := callback.Outputs[0]
	require.Equal(t, path.Join(b.prefix, "out", "index.m3u8"), b.key(t, told.Manifest))
	require.NotContains(t, string(callback.Body), string(b.S3.SecretKey))

	player := b.player(t)
	b.plays(t, player, told.Manifest, facts)
	require.Len(t, told.Videos, len(req.Profiles))
	for i, video := range told.Videos {
		require.Equal(t, "hls", video.Type)
		require.Contains(t, video.Location, "/"+id+"/1/", "its folder is its attempt's")
		require.Contains(t, video.Location, req.Profiles[i].Name)
		b.plays(t, player, video.Location, facts)
	}
	require.Len(t, told.MP4s, len(req.Profiles)+2, "a file each, and the manifests of the fragments")
	for i, file := range told.MP4s {
		b.plays(t, player, file.Location, facts)
		if i < len(req.Profiles) {
			require.Equal(t, "mp4", file.Type)
			require.Equal(t, path.Join(b.prefix, "out", req.Profiles[i].Name+".mp4"), b.key(t, file.Location))
		} else {
			require.Equal(t, "fmp4-master-playlist", file.Type)
			require.Equal(t, path.Join(b.prefix, "out/fmp4"), path.Dir(b.key(t, file.Location)))
		}
	}
	pictures := b.lineOf(t, path.Join(b.prefix, "out/thumbnails/thumbnails.vtt"), ".jpg")
	require.Len(t, pictures, 2)
	for _, picture := range pictures {
		local := filepath.Join(t.TempDir(), "picture.jpg")
		require.NoError(t, b.S3.Download(b.ctx, b.Bucket, path.Join(b.prefix, "out/thumbnails", picture), local))
	}
	for _, made := range transcode.Outputs {
		require.Equal(t, "ok", made.State, "%+v", made)
		require.Positive(t, made.Bytes)
	}
	local := filepath.Join(t.TempDir(), "copy.ts")
	require.NoError(t, b.S3.Download(b.ctx, b.Bucket, path.Join(b.prefix, "out/video"), local))
	copied, err := devstack.Probe(b.ctx, local)
	require.NoError(t, err)
	require.Equal(t, facts, copied)

	for _, rendition := range transcode.Renditions {
		require.Empty(t, rendition.Location, "nobody asked for it")
		work := path.Join(b.prefix, "out", id, "1", rendition.Name+".ts")
		await(t, b.ctx, work+" to go", func() bool {
			return b.S3.Download(b.ctx, b.Bucket, work, filepath.Join(t.TempDir(), "gone.ts")) != nil
		})
	}
	b.nothingLeft(t, id)
}

// An output that can't be written is told before anything is transcoded.
func TestOutputRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	source, _ := b.source(t, plain())
	req := b.request(t, source)
	elsewhere := strings.Replace(string(b.object(t, "out")), "/"+b.Bucket+"/", "/no-such-bucket/", 1)
	req.Outputs = []devstack.Wanted{{Type: "ts"}, {Type: "hls", URL: elsewhere}}
	transcode := b.fails(t, b.submit(t, req), failure{"s3_bucket_missing", "store", "storage", false})
	require.Equal(t, "failed", transcode.Outputs[1].State)
	require.Zero(t, transcode.Renditions[0].Ratio, "nothing was transcoded for it")
}

// A daemon that is killed between the last rendition and its outputs: the next boot of its
// host goes on in the same attempt, and where there is none another host does in a new one,
// with the stored renditions. Nothing is transcoded again.
func TestKilledWhilePackaging(t *testing.T) {
	t.Parallel()
	for name, comesBack := range map[string]bool{"and started again": true, "and its host stays dead": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hosts := 1
			if !comesBack {
				needsStandIn(t, "be two of them")
				hosts = 2
			}
			b := setupOwn(t, func(cfg *devstack.Config) { cfg.Hosts = hosts })
			door := b.startDoor(t, ".mp4", false)
			source, facts := b.source(t, plain())
			req := b.request(t, source)
			req.Output = door.output(t, b)
			req.Outputs = []devstack.Wanted{{Type: "hls", SegmentSeconds: 1}, {Type: "mp4"}}
			id := b.submit(t, req)
			await(t, b.ctx, "its outputs being published", func() bool {
				return len(b.lines(t, "SELECT number::text FROM weir.attempts WHERE transcode_id = $1 AND publish_from IS NOT NULL", id)) == 1
			})
			waiting, err := b.API.Transcode(b.ctx, id)
			require.NoError(t, err)
			require.Equal(t, "package", waiting.Stage)
			require.Less(t, waiting.Ratio, 1.0)
			number, err := strconv.Atoi(strings.TrimPrefix(waiting.Host, "host-"))
			require.NoError(t, err)
			i := number - 1
			require.NoError(t, b.Daemons[i].Kill())
			door.open()
			if comesBack {
				require.NoError(t, b.Daemons[i].Restart(b.ctx))
			} else {
				b.API.URL = b.Daemons[1-i].API
			}
			transcode := b.ends(t, id)
			require.Equal(t, "succeeded", transcode.State, "%+v", transcode.Error)
			require.Equal(t, map[bool]int{true: 1, false: 2}[comesBack], transcode.Attempt)
			require.Len(t, b.lines(t, "SELECT number::text FROM weir.attempts WHERE transcode_id = $1 AND process IS NOT NULL", id), 1, "transcoded once")
			told := b.callback(t, transcode).Outputs[0]
			player := b.player(t)
			b.plays(t, player, told.Manifest, facts)
			b.plays(t, player, told.MP4s[0].Location, facts)
		})
	}
}
