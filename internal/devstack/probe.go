package devstack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"time"
)

// Facts are what ffprobe says of a media file, by counting its frames.
type Facts struct {
	Width, Height int
	Frames        int64
	Duration      time.Duration // of the container
	Audio         bool
}

// ErrNoVideo says that a file holds no video, or is no media file at all.
var ErrNoVideo = errors.New("no video in it")

// Probe counts a file's frames. It is apart from package media on purpose: the
// demo and the tests judge what Weir has judged with something else.
func Probe(ctx context.Context, path string) (Facts, error) {
	program, err := exec.LookPath("ffprobe")
	if err != nil {
		return Facts{}, ErrNoFFmpeg
	}
	cmd := exec.CommandContext(ctx, program, "-v", "error", "-count_frames", "-print_format", "json",
		"-show_entries", "format=duration:stream=codec_type,width,height,nb_read_frames", path)
	out, err := cmd.Output()
	if ctx.Err() != nil {
		return Facts{}, fmt.Errorf("%s: ffprobe: %w", path, context.Cause(ctx))
	}
	if err != nil {
		return Facts{}, fmt.Errorf("%s: %w (ffprobe: %w)", path, ErrNoVideo, err)
	}
	var probed struct {
		Format struct {
			Duration string `json:"duration"`
		} `json:"format"`
		Streams []struct {
			CodecType string `json:"codec_type"`
			Width     int    `json:"width"`
			Height    int    `json:"height"`
			Frames    string `json:"nb_read_frames"`
		} `json:"streams"`
	}
	if err := json.Unmarshal(out, &probed); err != nil {
		return Facts{}, fmt.Errorf("%s: ffprobe's answer: %w", path, err)
	}
	var facts Facts
	for _, stream := range probed.Streams {
		switch {
		case stream.CodecType == "audio":
			facts.Audio = true
		case stream.CodecType == "video" && facts.Frames == 0:
			facts.Width, facts.Height = stream.Width, stream.Height
			facts.Frames, _ = strconv.ParseInt(stream.Frames, 10, 64) // "N/A": none
		}
	}
	if facts.Frames == 0 {
		return Facts{}, fmt.Errorf("%s: %w", path, ErrNoVideo)
	}
	if seconds, err := strconv.ParseFloat(probed.Format.Duration, 64); err == nil {
		facts.Duration = time.Duration(seconds * float64(time.Second))
	}
	return facts, nil
}
