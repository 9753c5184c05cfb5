package devstack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"time"
)

// Clip describes a test source. Zero fields mean 20 s of 1280x720 at 30 fps
// with sound.
type Clip struct {
	Width, Height, FPS int
	Duration           time.Duration
	// Mute leaves the sound out.
	Mute bool
}

const (
	clipWidth    = 1280
	clipHeight   = 720
	clipFPS      = 30
	clipDuration = 20 * time.Second
	// clipGOP is the distance of keyframes in seconds. Livepeer cuts at
	// keyframes at least a second apart; two seconds is what encoders default to.
	clipGOP = 2
)

// ErrNoFFmpeg says that the program is not on this machine.
var ErrNoFFmpeg = errors.New("ffmpeg is not in PATH: run `make setup`, or apt-get install ffmpeg")

// MakeClip encodes a moving test picture and a tone as H264 and AAC. The file's
// name decides the container: .mp4, .ts, .mov, .mkv.
func MakeClip(ctx context.Context, path string, clip Clip) error {
	program, err := exec.LookPath("ffmpeg")
	if err != nil {
		return ErrNoFFmpeg
	}
	width, height, fps := clip.Width, clip.Height, clip.FPS
	if width == 0 || height == 0 {
		width, height = clipWidth, clipHeight
	}
	if fps == 0 {
		fps = clipFPS
	}
	duration := clip.Duration
	if duration == 0 {
		duration = clipDuration
	}
	seconds := strconv.FormatFloat(duration.Seconds(), 'f', -1, 64)
	gop := strconv.Itoa(fps * clipGOP)
	args := []string{
		"-hide_banner", "-loglevel", "error", "-nostdin", "-y",
		"-f", "lavfi", "-i", fmt.Sprintf("testsrc2=size=%dx%d:rate=%d:duration=%s", width, height, fps, seconds),
	}
	if !clip.Mute {
		args = append(args, "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000:duration="+seconds, "-c:a", "aac", "-b:a", "128k")
	}
	args = append(args, "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", gop, "-keyint_min", gop, "-sc_threshold", "0", path)
	cmd := exec.CommandContext(ctx, program, args...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("make the clip %s: %w: %s", path, err, bytes.TrimSpace(out))
	}
	return nil
}
