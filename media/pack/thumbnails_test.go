package pack

import (
	"fmt"
	"image"
	"image/jpeg"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Each segment has its first picture, in the source's aspect and in the box.
func TestThumbnails(t *testing.T) {
	t.Parallel()
	for name, size := range map[string]image.Point{
		"plain": {160, 90}, "tall": {90, 162}, "wide": {640, 51}, "holes": {160, 90}, "one_frame": {160, 90}, "no_key_at_start": {160, 90},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rung, dir := rendition(t, name), filepath.Join(t.TempDir(), "100%d")
			thumbs, err := Packer{}.Thumbnails(t.Context(), rung, dir, 2*time.Second)
			require.NoError(t, err)
			list, err := Packer{}.HLS(t.Context(), rung, t.TempDir(), 2*time.Second)
			require.NoError(t, err)
			require.Len(t, thumbs.Pictures, len(list.Segments))
			require.Equal(t, append(slices.Clip(thumbs.Pictures), "thumbnails.vtt"), thumbs.Files())

			data, err := os.ReadFile(filepath.Join(dir, thumbs.File))
			require.NoError(t, err)
			cues := regexp.MustCompile(`(?m)^(\d\d):(\d\d):(\d\d\.\d{3}) --> (\d\d):(\d\d):(\d\d\.\d{3})\n(\d+\.jpg)$`).FindAllStringSubmatch(string(data), -1)
			require.Len(t, cues, len(thumbs.Pictures))
			require.Regexp(t, `^WEBVTT\n\n`, string(data))
			tracks, err := look(t.Context(), rung)
			require.NoError(t, err)
			shown, frames := decodedRung(t, "v", rung), grays(t, rung, size)
			at, bytes := 0.0, int64(0)
			for i, cue := range cues {
				from, to := seconds(t, cue[1:4]), seconds(t, cue[4:7])
				require.InDelta(t, at, from, 0.0001, "no gap")
				require.Greater(t, to, from)
				at = to
				require.Equal(t, thumbs.Pictures[i], cue[7])
				bytes += same(t, filepath.Join(dir, cue[7]), size, frames, shown, from+float64(tracks.zero())/clock)
			}
			require.InDelta(t, list.Seconds, at, 0.001)
			require.Equal(t, bytes, thumbs.Bytes)
		})
	}
}

// grays are a rung's frames at a size, in the order in which they are shown.
func grays(t *testing.T, rung Rung, size image.Point) [][]byte {
	t.Helper()
	out, err := run(t.Context(), "ffmpeg", "-nostdin -v error -i", rung.File,
		"-vf", fmt.Sprintf("scale=%d:%d:flags=area,format=gray", size.X, size.Y), "-fps_mode", "passthrough", "-f", "rawvideo", "-")
	require.NoError(t, err)
	return slices.Collect(slices.Chunk([]byte(out), size.X*size.Y))
}

// same: a picture is, of all frames, that of its time, the first from there on.
func same(t *testing.T, path string, size image.Point, frames [][]byte, shown []shownFrame, at float64) int64 {
	t.Helper()
	file, err := os.Open(path)
	require.NoError(t, err)
	defer file.Close()
	picture, err := jpeg.Decode(file)
	require.NoError(t, err)
	require.Equal(t, size, picture.Bounds().Size())
	info, err := file.Stat()
	require.NoError(t, err)
	pixels, ok := picture.(*image.YCbCr)
	require.True(t, ok)
	unlike := func(frame []byte) (sum int) {
		for i, gray := range frame {
			d := int(pixels.Y[pixels.YOffset(i%size.X, i/size.X)]) - int(gray)
			sum += d * d
		}
		return sum
	}
	require.Len(t, frames, len(shown))
	best := 0
	for i := range frames {
		if unlike(frames[i]) < unlike(frames[best]) {
			best = i
		}
	}
	require.Less(t, unlike(frames[best])/len(frames[best]), 100, "squares of differences, a pixel")
	first := slices.IndexFunc(shown, func(f shownFrame) bool { return f.at > at-0.001 })
	require.Equal(t, first, best, "%s at %.3f", path, at)
	return info.Size()
}

func seconds(t *testing.T, parts []string) float64 {
	t.Helper()
	return number(t, parts[0])*3600 + number(t, parts[1])*60 + number(t, parts[2])
}
