package media

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// beeps is sound with a beep of 50 ms at each half of a second.
func beeps(seconds float64) []string {
	return []string{"-f", "lavfi", "-i", fmt.Sprintf("aevalsrc=sin(2*PI*880*t)*lt(mod(t\\,0.5)\\,0.05):s=48000:d=%g", seconds)}
}

// clipSources are made as the sources of clips: their pictures tell which they are, and their sound when
// it is.
func clipSources() []shape {
	av := func(rate string, seconds float64) []string {
		return join(pictures(small, rate, seconds), beeps(seconds))
	}
	return []shape{
		{name: "clip.mp4", args: join(av("30", 8), words(bs+"-g 60 -c:a aac"))},
		{name: "clip.ts", args: join(av("25", 8), words(bs+"-g 50 -c:a aac -output_ts_offset 3600"))},
		{name: "clip_open.ts", args: join(av("25", 8), words(bs+"-x264-params open-gop=1:keyint=50:scenecut=0:bframes=3 -c:a mp2"))},
		{name: "clip_plain.mp4", args: join(av("30", 8), words(x264+"-g 30 -bf 0 -c:a aac"))},
		{name: "clip_long.mkv", args: join(av("25", 30), words(x264+"-g 100 -c:a libopus"))},
		{name: "clip_ntsc.mov", args: join(av("30000/1001", 8), words(bs+"-g 300 -c:a pcm_s16le"))},
		{name: "clip_vp9.webm", args: join(av("25", 5), words("-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -c:a libopus"))},
	}
}

// A clip has every frame that belongs to it, each at its time, and its sound where it was.
func TestClip(t *testing.T) {
	t.Parallel()
	named := map[string]shape{}
	for _, s := range clipSources() {
		named[s.name] = s
	}
	for _, c := range []struct {
		of         string
		start, end int64 // ms
		reencoded  string
		fps        float64
	}{
		{of: "clip.mp4", start: 1234, end: 5678, reencoded: ReencodeClip},
		{of: "clip.mp4", start: 2000, end: 8000},
		{of: "clip.mp4", start: 0, end: 8900},
		{of: "clip.mp4", start: 33, end: 67, reencoded: ReencodeClip},
		{of: "clip.mp4", start: 40, end: 50, reencoded: ReencodeClip},
		{of: "clip.mp4", start: 1010, end: 4990, reencoded: ReencodeClip, fps: 15},
		{of: "clip.ts", start: 700, end: 6900, reencoded: ReencodeClip},
		{of: "clip.ts", start: 4000, end: 8000},
		{of: "clip_open.ts", start: 2000, end: 6000, reencoded: ReencodeClip},
		{of: "clip_plain.mp4", start: 1000, end: 2500},
		{of: "clip_plain.mp4", start: 7950, end: 8000, reencoded: ReencodeClip},
		{of: "clip_long.mkv", start: 23480, end: 26320, reencoded: ReencodeClip},
		{of: "clip_ntsc.mov", start: 3003, end: 5005, reencoded: ReencodeClip},
		{of: "clip_vp9.webm", start: 1480, end: 3520, reencoded: ReencodeCodec},
	} {
		t.Run(fmt.Sprintf("%s %d to %d", c.of, c.start, c.end), func(t *testing.T) {
			t.Parallel()
			tools := &Tools{}
			in := named[c.of].make(t)
			whole, err := tools.Probe(t.Context(), in)
			require.NoError(t, err)
			src, err := whole.Clip(Clip{StartUS: c.start * 1000, EndUS: c.end * 1000})
			require.NoError(t, err)
			prep, err := tools.Prepare(t.Context(), src, in, t.TempDir(), Options{AAC: true})
			require.NoError(t, err)
			require.Equal(t, c.reencoded, prep.Reencoded)
			padded(t, prep)

			// Which frames belong to it, by what a player shows of the whole.
			times := shownOf(t, in, whole.Video.Index)
			from, to := -1, 0
			for i, us := range times {
				if us -= times[0]; us >= c.start*1000-500 && us < c.end*1000-500 {
					if from < 0 {
						from = i
					}
					to = i + 1
				}
			}
			begins := int64(0) // how far behind the clip's begin its first frame is
			if from < 0 {      // between two: the one before is a still
				for i, us := range times {
					if us-times[0] < c.start*1000 {
						from, to = i, i+1
					}
				}
			} else {
				begins = times[from] - times[0] - c.start*1000
			}
			require.Equal(t, int64(to-from), src.Video.Frames)
			require.Equal(t, src.Video.Frames, prep.Frames)
			require.InDelta(t, min((c.end-c.start)*1000, whole.DurationUS-c.start*1000), src.DurationUS, 45_000)

			const width, height = 128, 64
			num, den := prep.Ask(c.fps)
			pushed := mist(t, prep, float64(num)/float64(den), fmt.Sprintf("scale=%d:%d", width, height))
			out := filepath.Join(t.TempDir(), "out.ts")
			listed, err := tools.Finish(t.Context(), Pushed{Path: pushed, From: in, Source: src, Prepared: prep, FPS: c.fps}, out)
			require.NoError(t, err)
			verdict, err := tools.Judge(t.Context(), out, Want{Width: width, Height: height, FPS: c.fps, Source: src, Prepared: prep, Listed: listed})
			require.NoError(t, err)
			require.Empty(t, verdict.Problems)
			if c.fps == 0 {
				got := shownOf(t, out, 0)
				require.Len(t, got, to-from)
				for i := range got {
					require.InDelta(t, times[from+i]-times[from], got[i]-got[0], 1000, "frame %d", i)
				}
				samePictures(t, in, out, from)
			}
			if src.Audio == nil { // less than a packet of it
				require.Less(t, c.end-c.start, int64(25))
				return
			}
			done, err := tools.Probe(t.Context(), out)
			require.NoError(t, err)
			require.Equal(t, "aac", done.Audio.Codec)
			sameBeeps(t, out, done.Video.StartUS-begins, c.start, min(c.end, whole.DurationUS/1000))
		})
	}
}

// shownOf are the times of the frames that a player shows of a file.
func shownOf(t *testing.T, path string, index int) []int64 {
	t.Helper()
	var frames frameList
	args, err := input(path)
	require.NoError(t, err)
	args = append(append([]string{"-nostdin", "-loglevel", "error", "-copyts"}, args...), "-map", fmt.Sprintf("0:%d", index))
	require.NoError(t, run(t.Context(), "ffmpeg", nil, &frames, append(args, frames.arguments("pipe:1")...)...))
	return frames.times()
}

// samePictures compares pictures: each of a clip is most like the one of the source that it is.
func samePictures(t *testing.T, in, out string, from int) {
	t.Helper()
	const picture = 128 * 64
	grey := func(path string) []byte {
		var pixels bytes.Buffer
		require.NoError(t, run(t.Context(), "ffmpeg", nil, &pixels, "-nostdin", "-loglevel", "error", "-i", "file:"+path, "-map", "0:v:0",
			"-fps_mode", "passthrough", "-vf", "scale=128:64,format=gray", "-f", "rawvideo", "pipe:1"))
		return pixels.Bytes()
	}
	whole, clip := grey(in), grey(out)
	unlike := func(i, of int) (sum int) {
		for at := range picture {
			d := int(clip[i*picture+at]) - int(whole[of*picture+at])
			sum += d * d
		}
		return sum
	}
	for i := range len(clip) / picture {
		for _, other := range []int{from + i - 1, from + i + 1} {
			if other >= 0 && (other+1)*picture <= len(whole) {
				require.Less(t, unlike(i, from+i), unlike(i, other), "picture %d is the source's %d", i, from+i)
			}
		}
	}
}

// sameBeeps looks for the beeps of a clip, which begins at zero in its own time.
func sameBeeps(t *testing.T, out string, zero, startMS, endMS int64) {
	t.Helper()
	const hertz = 8000
	var samples bytes.Buffer
	require.NoError(t, run(t.Context(), "ffmpeg", nil, &samples, "-nostdin", "-loglevel", "error", "-copyts", "-i", "file:"+out, "-map", "0:a:0",
		"-af", "aresample=8000:async=1:first_pts=0", "-ac", "1", "-f", "s16le", "pipe:1"))
	pcm := samples.Bytes()
	var onsets []int64
	quiet := hertz
	for i := 0; i+1 < len(pcm); i += 2 {
		if abs(int64(int16(uint16(pcm[i])|uint16(pcm[i+1])<<8))) < 6000 {
			quiet++
			continue
		}
		if quiet > hertz/10 {
			onsets = append(onsets, int64(i/2)*second/hertz-zero+startMS*1000)
		}
		quiet = 0
	}
	var want []int64
	for ms := (startMS + 499) / 500 * 500; ms < endMS-60; ms += 500 {
		want = append(want, ms*1000)
	}
	got := map[int64]bool{}
	for _, at := range onsets {
		nearest := int64(math.Round(float64(at)/500_000)) * 500_000
		if at < startMS*1000+60_000 { // it may have begun before
			got[nearest] = true
			continue
		}
		require.InDelta(t, nearest, at, 20_000)
		got[nearest] = true
	}
	for _, at := range want {
		require.True(t, got[at], "a beep at %d us; heard: %v", at, onsets)
	}
}

// A still that began before the clip is what a player shows when it begins.
func TestClipOfAStill(t *testing.T) {
	t.Parallel()
	tools := &Tools{}
	in := named(t, "a_frame_in_two_seconds.mp4").make(t)
	whole, err := tools.Probe(t.Context(), in)
	require.NoError(t, err)
	for _, opts := range []Options{{}, {Encode: true}} {
		src, err := whole.Clip(Clip{StartUS: 11 * second, EndUS: 15 * second})
		require.NoError(t, err)
		require.Equal(t, int64(3), src.Video.Frames)
		prep, err := tools.Prepare(t.Context(), src, in, t.TempDir(), opts)
		require.NoError(t, err)
		c, err := loadClock(clockPath(prep))
		require.NoError(t, err)
		require.Equal(t, []int64{0, tsClock, 3 * tsClock}, c.ticks)
		require.Equal(t, whole.Video.StartUS+11*second, prep.StartUS)
	}
}

// What the source has not can't be cut out of it.
func TestClipOutside(t *testing.T) {
	t.Parallel()
	whole, err := (&Tools{}).Probe(t.Context(), named(t, "plain.mp4").make(t))
	require.NoError(t, err)
	require.Equal(t, int64(6*second), whole.DurationUS)
	for _, c := range []Clip{
		{StartUS: 6 * second, EndUS: 7 * second},
		{StartUS: 5 * second, EndUS: 8 * second},
		{StartUS: -1, EndUS: 2 * second},
		{StartUS: 3 * second, EndUS: 3 * second},
		{StartUS: -3 * second, EndUS: 0, Within: true},
		{StartUS: 7 * second, EndUS: 9 * second, Within: true},
	} {
		_, err := whole.Clip(c)
		failed, ok := errors.AsType[*Error](err)
		require.True(t, ok, "%+v: %v", c, err)
		require.Equal(t, CodeClipOutside, failed.Code)
		require.Contains(t, failed.Text, "lasts 6.000 s")
	}
	src, err := whole.Clip(Clip{StartUS: -3 * second, EndUS: 60 * second, Within: true})
	require.NoError(t, err)
	require.Equal(t, whole.Video.Frames, src.Video.Frames)
	require.Equal(t, int64(6*second), src.DurationUS)
}
