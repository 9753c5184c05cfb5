package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"weir/internal/devstack"
	"weir/secret"
)

// recording makes an HLS recording of a clip in a folder, and says what is in it.
func (b *testBundle) recording(t *testing.T, c clip, args string) (dir string, facts devstack.Facts) {
	t.Helper()
	local := c.file(t)
	facts, err := devstack.Probe(b.ctx, local)
	require.NoError(t, err)
	dir = t.TempDir()
	ffmpeg(t, "-i "+local+" -c copy -f hls -hls_time 1 -hls_playlist_type vod "+strings.ReplaceAll(args, "DIR", dir)+" "+filepath.Join(dir, "index.m3u8"))
	return dir, facts
}

// uploadAll puts a folder's files among the test's objects, and returns where its playlist is.
func (b *testBundle) uploadAll(t *testing.T, dir, playlist string) secret.Secret {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, entry := range entries {
		b.upload(t, filepath.Join(dir, entry.Name()), "recording/"+entry.Name())
	}
	return b.object(t, "in/recording/"+playlist)
}

// TestPlaylists: recordings in HLS, of every kind that can be brought into one file.
func TestPlaylists(t *testing.T) {
	t.Parallel()
	mpegts := "-hls_segment_filename DIR/%d.ts"
	for _, test := range []struct {
		name, args string
		change     func(t *testing.T, dir string)
	}{
		{"MPEG-TS", mpegts, nil},
		{"fragmented MP4", "-hls_segment_type fmp4 -hls_segment_filename DIR/%d.m4s", nil},
		{"ranges of one MPEG-TS", "-hls_flags single_file -hls_segment_filename DIR/all.ts", nil},
		{"ranges of one fragmented MP4", "-hls_segment_type fmp4 -hls_flags single_file -hls_segment_filename DIR/all.mp4", nil},
		{"master", mpegts, func(t *testing.T, dir string) {
			master := "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1000,RESOLUTION=64x36\nmissing.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=900000,RESOLUTION=320x180\nmedia.m3u8\n"
			require.NoError(t, os.Rename(filepath.Join(dir, "index.m3u8"), filepath.Join(dir, "media.m3u8")))
			require.NoError(t, os.WriteFile(filepath.Join(dir, "index.m3u8"), []byte(master), 0o600))
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			dir, facts := b.recording(t, plain(), test.args)
			if test.change != nil {
				test.change(t, dir)
			}
			transcode := b.packaged(t, b.post(t, b.vod(t, b.uploadAll(t, dir, "index.m3u8"), "0")), facts)
			require.Equal(t, []string{"low-bitrate", "180p0"}, names(transcode))
			require.Equal(t, "mp4", transcode.Outputs[1].Type)
			require.Len(t, transcode.Outputs[1].Objects, 1, "of a recording one is enough")
			require.Equal(t, "180p0", transcode.Outputs[1].Objects[0].Rendition)
		})
	}
}

// TestPlaylistOfTwo: two recordings in one, each with a clock of its own, over the web.
func TestPlaylistOfTwo(t *testing.T) {
	t.Parallel()
	b := setup(t)
	dir, facts := b.recording(t, plain(), "-hls_segment_filename DIR/%d.ts")
	text, err := os.ReadFile(filepath.Join(dir, "index.m3u8"))
	require.NoError(t, err)
	segments := strings.TrimSuffix(strings.TrimSpace(string(text)), "#EXT-X-ENDLIST")
	_, again, found := strings.Cut(segments, "#EXTINF")
	require.True(t, found)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "index.m3u8"), []byte(segments+"#EXT-X-DISCONTINUITY\n#EXTINF"+again+"#EXT-X-ENDLIST\n"), 0o600))
	server := httptest.NewServer(http.FileServer(http.Dir(dir)))
	t.Cleanup(server.Close)
	facts.Frames *= 2
	facts.Duration *= 2
	transcode := b.packaged(t, b.post(t, b.vod(t, secret.Secret(server.URL+"/index.m3u8?signature=0"), "0")), facts)
	require.Equal(t, server.URL+"/index.m3u8", transcode.Source.Location)
}

// TestBadPlaylists: each is told at once, and no other attempt would find another.
func TestBadPlaylists(t *testing.T) {
	t.Parallel()
	const segment = "#EXTINF:1,\n0.ts\n"
	for name, test := range map[string]struct {
		playlist, code, says string
	}{
		"live":            {"#EXTM3U\n" + segment, "playlist_live", "still being written"},
		"encrypted":       {"#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI=\"key\"\n" + segment + "#EXT-X-ENDLIST\n", "source_encrypted", "encrypted"},
		"missing segment": {"#EXTM3U\n" + segment + "#EXTINF:1,\ngone.ts\n#EXT-X-ENDLIST\n", "object_missing", "segment 2 of 2 (gone.ts)"},
		"a file of ours":  {"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n", "playlist_unsupported", "segment 1 of 1"},
		"no playlist":     {"<html>", "playlist_unreadable", "#EXTM3U"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			dir := t.TempDir()
			for file, content := range map[string]string{"index.m3u8": test.playlist, "0.ts": fmt.Sprint("not looked at, ", name)} {
				require.NoError(t, os.WriteFile(filepath.Join(dir, file), []byte(content), 0o600))
			}
			transcode := b.fails(t, b.post(t, b.vod(t, b.uploadAll(t, dir, "index.m3u8"), "0")), failure{test.code, "fetch", "input", false})
			require.Contains(t, transcode.Error.Message, test.says)
		})
	}
}
