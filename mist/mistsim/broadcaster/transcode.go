package broadcaster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"

	"weir/mist/mistsim/ts"
)

const (
	// firstPipe is the file descriptor of the first output.
	firstPipe = 3
	// sameRate is how far two frame rates may lie apart and still be one:
	// segments carry whole milliseconds, so a measured rate is never exact.
	sameRate = 0.01
	// snapRange is the error of a rate measured over a second of milliseconds;
	// it is smaller than the distance between a whole and an NTSC rate.
	snapRange = 0.0005
	// rateDen gives rates three decimals.
	rateDen = 1000
	// maxComplaint is how much of ffmpeg's last words an error quotes.
	maxComplaint = 400
	// noKeyframes is a keyframe interval that no segment reaches.
	noKeyframes = 100_000
)

// transcode makes all renditions in one run of ffmpeg, which decodes once. Every
// frame of the segment is in every rendition of the same rate, with its own
// timestamp; the first frame is a keyframe.
func (b *Broadcaster) transcode(ctx context.Context, segment []byte, profiles []Profile) ([][]byte, error) {
	rate := measure(segment)
	cmd := exec.CommandContext(ctx, b.cfg.FFmpeg, b.arguments(profiles, rate)...)
	cmd.Stdin = bytes.NewReader(segment)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out := make([][]byte, len(profiles))
	errs := make([]error, len(profiles))
	var readers sync.WaitGroup
	var closers []io.Closer
	defer func() {
		for _, c := range closers {
			_ = c.Close()
		}
	}()
	for i := range profiles {
		r, w, err := os.Pipe()
		if err != nil {
			return nil, fmt.Errorf("pipe for ffmpeg: %w", err)
		}
		closers = append(closers, r, w)
		cmd.ExtraFiles = append(cmd.ExtraFiles, w)
		readers.Go(func() { out[i], errs[i] = io.ReadAll(r) })
	}
	err := cmd.Start()
	for _, w := range cmd.ExtraFiles {
		_ = w.Close() // so that the readers see ffmpeg's end
	}
	if err != nil {
		readers.Wait()
		return nil, fmt.Errorf("start ffmpeg: %w", err)
	}
	readers.Wait()
	if err := errors.Join(cmd.Wait(), errors.Join(errs...)); err != nil {
		text := complaint.Bytes()
		return nil, fmt.Errorf("ffmpeg: %w: %s", err, bytes.TrimSpace(text[max(0, len(text)-maxComplaint):]))
	}
	return out, nil
}

func (b *Broadcaster) arguments(profiles []Profile, rate float64) []string {
	args := strings.Fields("-nostdin -hide_banner -loglevel error -copyts -f mpegts -i pipe:0 -filter_complex")
	var graph strings.Builder
	fmt.Fprintf(&graph, "[0:v:0]split=%d", len(profiles))
	for i := range profiles {
		fmt.Fprintf(&graph, "[s%d]", i)
	}
	for i, p := range profiles {
		fmt.Fprintf(&graph, ";[s%d]scale=%d:%d", i, p.Width, p.Height)
		if !p.keepsRate(rate) {
			fmt.Fprintf(&graph, ",fps=%g", p.rate())
		}
		fmt.Fprintf(&graph, "[v%d]", i)
	}
	args = append(args, graph.String())
	for i, p := range profiles {
		bitrate := strconv.Itoa(p.Bitrate)
		args = append(args, "-map", fmt.Sprintf("[v%d]", i), "-map", "0:a?", "-c:a", "copy",
			"-c:v", "libx264", "-preset", b.cfg.Preset, "-bf", "0", "-pix_fmt", "yuv420p", "-sc_threshold", "0",
			"-g", p.interval(rate), "-vsync", "passthrough", "-enc_time_base", "-1")
		if out := p.rateOut(rate); out > 0 {
			// With the source's time base the encoder would announce 90,000 frames a second.
			args = append(args, "-bsf:v", fmt.Sprintf("h264_metadata=tick_rate=%d/%d", int(math.Round(2*out*rateDen)), rateDen))
		}
		if p.Bitrate > 0 {
			args = append(args, "-b:v", bitrate, "-maxrate", bitrate, "-bufsize", strconv.Itoa(2*p.Bitrate))
		}
		args = append(args, "-muxdelay", "0", "-muxpreload", "0", "-f", "mpegts", fmt.Sprintf("pipe:%d", firstPipe+i))
	}
	return args
}

// keepsRate says whether the source's frames are taken as they are.
func (p *Profile) keepsRate(rate float64) bool {
	return p.rate() <= 0 || rate <= 0 || math.Abs(p.rate()-rate) <= sameRate*rate
}

// rateOut is the rendition's rate, 0 where it is not known.
func (p *Profile) rateOut(source float64) float64 {
	if p.rate() > 0 {
		return p.rate()
	}
	return source
}

// interval is the distance of keyframes in frames.
func (p *Profile) interval(rate float64) string {
	if !p.keepsRate(rate) {
		rate = p.rate()
	}
	if p.GOP == "intra" {
		return "1"
	}
	if seconds, err := strconv.ParseFloat(p.GOP, 64); err == nil && seconds > 0 && rate > 0 {
		return strconv.Itoa(max(1, int(math.Round(seconds*rate))))
	}
	return strconv.Itoa(noKeyframes) // the source's: a segment starts with its only one
}

// measure is the segment's own frame rate, 0 where it cannot be told.
func measure(segment []byte) float64 {
	var n int
	var first, last int64
	for d := ts.NewDemuxer(bytes.NewReader(segment)); ; {
		f, err := d.Next()
		if err != nil {
			break
		}
		if !ts.IsVideo(f.Codec) {
			continue
		}
		if n == 0 {
			first = f.DTS
		}
		last = f.DTS
		n++
	}
	if n < 2 || last <= first {
		return 0
	}
	return snap(float64(n-1) * ts.Clock / float64(last-first))
}

// snap takes a rate measured over whole milliseconds to the whole or NTSC rate
// that it stands for.
func snap(rate float64) float64 {
	const ntsc = 1000.0 / 1001
	whole := math.Round(rate)
	for _, near := range []float64{whole, math.Round(rate/ntsc) * ntsc} {
		if math.Abs(rate-near) < snapRange*rate {
			return near
		}
	}
	return rate
}
