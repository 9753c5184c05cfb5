package browser

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"weir/media"
	"weir/media/pack"
)

const (
	seconds = 8
	segment = 2 * time.Second
)

// packed is a source of two rungs in every form, served as a storage would.
type packed struct {
	url     string
	seconds float64
}

func setup(t *testing.T) packed {
	t.Helper()
	dir := t.TempDir()
	var rungs []pack.Rung
	var master []pack.MasterRung
	// The lower one has no pictures out of order: its file begins elsewhere, and all the same the two
	// have one time.
	for i, r := range []struct{ size, more string }{{"640x360", "-bf 3"}, {"320x180", "-bf 0"}} {
		rungs = append(rungs, rendition(t, filepath.Join(dir, fmt.Sprint("work", i)), r.size, r.more))
	}
	var packer pack.Packer
	var p packed
	for _, rung := range rungs {
		list, err := packer.HLS(t.Context(), rung, filepath.Join(dir, "hls", rung.Name), segment)
		require.NoError(t, err)
		master = append(master, pack.MasterRung{Rung: rung, Playlist: list, URI: rung.Name + "/" + list.File})
		p.seconds = list.Seconds
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "hls", "index.m3u8"), pack.Master(master), 0o644))
	_, err := packer.Fragmented(t.Context(), rungs, filepath.Join(dir, "fmp4"), segment)
	require.NoError(t, err)
	_, err = packer.MP4(t.Context(), rungs[0], filepath.Join(dir, "file.mp4"))
	require.NoError(t, err)
	server := httptest.NewServer(http.FileServer(http.Dir(dir)))
	t.Cleanup(server.Close)
	p.url = server.URL
	return p
}

// rendition is a source that was prepared and finished.
func rendition(t *testing.T, dir, size, more string) pack.Rung {
	t.Helper()
	require.NoError(t, os.MkdirAll(dir, 0o755))
	source := filepath.Join(dir, "in.mp4")
	args := fmt.Sprintf("-nostdin -loglevel error -f lavfi -i testsrc2=s=%s:r=30:d=%d -f lavfi -i sine=f=440:d=%d -c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 30 %s -c:a aac", size, seconds, seconds, more)
	require.NoError(t, exec.CommandContext(t.Context(), "ffmpeg", append(strings.Fields(args), source)...).Run())
	tools := &media.Tools{}
	src, err := tools.Probe(t.Context(), source)
	require.NoError(t, err)
	prepared, err := tools.Prepare(t.Context(), src, source, dir, media.Options{})
	require.NoError(t, err)
	rung := pack.Rung{Name: size, File: filepath.Join(dir, "out.ts"), Width: src.Video.Width, Height: src.Video.Height, FrameRate: src.Video.Rate.FPS()}
	_, err = tools.Finish(t.Context(), media.Pushed{Path: prepared.Path, From: source, Source: src, Prepared: prepared}, rung.File)
	require.NoError(t, err)
	return rung
}

// All forms are played whole by real players.
func TestPlayed(t *testing.T) {
	t.Parallel()
	p := setup(t)
	for _, played := range []struct {
		name, path string
		by         func(context.Context, testing.TB, string) Report
		rungs      int
		first      bool // it begins with the manifest's first
	}{
		{"hls", "/hls/index.m3u8", Play, 2, true},
		{"fragmented hls", "/fmp4/master.m3u8", Play, 2, true},
		{"dash", "/fmp4/index.mpd", PlayDASH, 2, false},
		{"mp4", "/file.mp4", PlayMP4, 0, false},
	} {
		t.Run(played.name, func(t *testing.T) {
			report := played.by(t.Context(), t, p.url+played.path)
			t.Logf("%+v", report)
			report.Require(t, p.seconds)
			require.Len(t, report.Rungs, played.rungs)
			if played.first {
				require.Zero(t, report.First, "the lowest")
			}
			require.GreaterOrEqual(t, report.Frames, seconds*30)
		})
	}
}
