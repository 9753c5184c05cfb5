package pack

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"weir/media"
)

// What can't be packaged is said, of which rendition, and why.
func TestRefusals(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, args string) string {
		path := filepath.Join(dir, name)
		_, err := run(t.Context(), "ffmpeg", "-nostdin -loglevel error "+args, path)
		require.NoError(t, err)
		return path
	}
	short := pictures("160x90", "30", 0.5)
	empty := filepath.Join(dir, "empty.ts")
	require.NoError(t, os.WriteFile(empty, nil, 0o644))
	for name, want := range map[string]struct{ path, says string }{
		"mp2 sound":  {file("mp2.ts", short+beside+"1 -c:v libx264 -c:a mp2"), "at most one of AAC"},
		"two sounds": {file("two.ts", short+beside+"1"+beside+"1 -map 0 -map 1 -map 2 -c:v libx264 -c:a aac"), "at most one of AAC"},
		"mpeg-2":     {file("mpeg2.ts", short+" -c:v mpeg2video"), "one of H264"},
		"sound only": {file("sound.ts", beside+"1 -c:a aac"), "no H264 track"},
		"no ts":      {file("no.mp4", short+" -c:v libx264"), "no MPEG-TS"},
		"empty":      {empty, "no MPEG-TS"},
		"missing":    {filepath.Join(dir, "missing.ts"), "cannot be read"},
	} {
		rung := Rung{Name: "360p", File: want.path, Width: 160, Height: 90}
		for what, pack := range map[string]func(context.Context) error{
			"HLS": func(ctx context.Context) error { _, err := Packer{}.HLS(ctx, rung, dir, time.Second); return err },
			"MP4": func(ctx context.Context) error {
				_, err := Packer{}.MP4(ctx, rung, filepath.Join(dir, "x.mp4"))
				return err
			},
			"fragmented MP4": func(ctx context.Context) error {
				_, err := Packer{}.Fragmented(ctx, []Rung{rung}, dir, time.Second)
				return err
			},
			"thumbnails": func(ctx context.Context) error {
				_, err := Packer{}.Thumbnails(ctx, rung, dir, time.Second)
				return err
			},
		} {
			err := pack(t.Context())
			var known *media.Error
			require.ErrorAs(t, err, &known, "%s as %s", name, what)
			require.Contains(t, known.Text, want.says, "%s as %s", name, what)
			require.NotContains(t, known.Text, dir)
			if name != "missing" {
				require.Equal(t, media.CodePackageFailed, known.Code)
				require.Contains(t, known.Text, "360p")
				require.Contains(t, known.Text, what)
			}
		}
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	rung := rendition(t, "plain")
	_, err := Packer{}.MP4(over, rung, filepath.Join(dir, "x.mp4"))
	require.ErrorIs(t, err, context.Canceled)
	_, err = Packer{}.HLS(over, rung, dir, time.Second)
	require.ErrorIs(t, err, context.Canceled)
	require.NoFileExists(t, filepath.Join(dir, "x.mp4"))
}
