package mistsim_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// The sources are the recordings' in small: 30 frames a second, a keyframe every
// two seconds, but eight seconds long and 320x180.
const (
	sourceSeconds = 8
	longSeconds   = 16 // of the one without padding, so that there is a middle
	sourceFPS     = 30
	gopFrames     = 60
	sourceFrames  = sourceSeconds * sourceFPS
	padGOPs       = 5
)

// sources are made once and only read.
var sources = sync.OnceValues(makeSources)

type sourceSet struct {
	full, padded, bframes, oneGOP, garbage, audio string
	// stop is the recstop of padded, as Weir computes it.
	stop int64
}

func (s *sourceSet) path(t *testing.T, recorded string) string {
	switch filepath.Base(recorded) {
	case "padded.ts":
		return s.padded
	case "src.ts":
		return s.full
	case "onegop.ts":
		return s.oneGOP
	case "garbage.ts":
		return s.garbage
	case "audio.ts":
		return s.audio
	case "nothere.ts":
		return filepath.Join(filepath.Dir(s.full), "nothere.ts")
	}
	require.FailNow(t, "recording uses an unknown source", recorded)
	return ""
}

func setupSources(t *testing.T) *sourceSet {
	t.Helper()
	s, err := sources()
	require.NoError(t, err)
	return s
}

func makeSources() (*sourceSet, error) {
	file := func(name string) string { return filepath.Join(bins, name) }
	s := &sourceSet{
		full: file("full.ts"), padded: file("padded.ts"), bframes: file("bframes.ts"), oneGOP: file("onegop.ts"),
		garbage: file("garbage.ts"), audio: file("audio.ts"),
	}
	encode := func(bframes, seconds int) string {
		return fmt.Sprintf("-f lavfi -i testsrc2=size=320x180:rate=%d -f lavfi -i sine=1000 -t %d -pix_fmt yuv420p "+
			"-c:v libx264 -preset ultrafast -bf %d -g %d -keyint_min %d -sc_threshold 0 -c:a aac", sourceFPS, seconds, bframes, gopFrames, gopFrames)
	}
	for _, args := range []string{
		encode(0, longSeconds) + " " + s.full,
		encode(2, sourceSeconds) + " " + s.bframes,
		encode(0, 1) + " -an " + s.oneGOP,
		"-f lavfi -i sine=1000 -t 2 -c:a aac " + s.audio,
		encode(0, sourceSeconds) + " -an -muxdelay 0 -muxpreload 0 " + file("video.ts"),
	} {
		if err := ffmpeg(args); err != nil {
			return nil, err
		}
	}
	if err := os.WriteFile(s.garbage, []byte(strings.Repeat("this is no transport stream G ", 20_000)), 0o600); err != nil {
		return nil, err
	}
	var err error
	s.stop, err = pad(file("video.ts"), s.padded)
	return s, err
}

// pad appends copies of the last GOP and returns the time just before the first
// of their packets in ms.
func pad(video, out string) (int64, error) {
	packets, keys, err := packetTimes(video)
	if err != nil {
		return 0, err
	}
	// The inpoint is the keyframe's own DTS: with an earlier one ffmpeg lets the
	// frame before it in, which nothing can decode.
	list := "ffconcat version 1.0\nfile " + video + "\n"
	for range padGOPs {
		list += fmt.Sprintf("file %s\ninpoint %f\n", video, keys[len(keys)-1])
	}
	if err := os.WriteFile(out+".list", []byte(list), 0o600); err != nil {
		return 0, err
	}
	if err := ffmpeg("-f concat -safe 0 -i " + out + ".list -c copy -muxdelay 0 -muxpreload 0 " + out); err != nil {
		return 0, err
	}
	padded, paddedKeys, err := packetTimes(out)
	if err != nil {
		return 0, err
	}
	if len(paddedKeys) != len(keys)+padGOPs {
		return 0, fmt.Errorf("%d keyframes after padding %d", len(paddedKeys), len(keys))
	}
	const msPerSecond = 1000
	return int64(padded[len(packets)]*msPerSecond) - 1, nil
}

// packetTimes lists the decoding times of a file's video, and those of its keyframes.
func packetTimes(path string) (all, keys []float64, err error) {
	out, err := execute("ffprobe", "-v error -select_streams v -show_entries packet=dts_time,flags -of csv=p=0 "+path)
	if err != nil {
		return nil, nil, err
	}
	for line := range strings.Lines(out) {
		dts, flags, listed := strings.Cut(strings.TrimSpace(line), ",")
		if !listed {
			continue // ffprobe ends with an empty line
		}
		v, err := strconv.ParseFloat(dts, 64)
		if err != nil {
			return nil, nil, err
		}
		all = append(all, v)
		if strings.HasPrefix(flags, "K") {
			keys = append(keys, v)
		}
	}
	return all, keys, nil
}
