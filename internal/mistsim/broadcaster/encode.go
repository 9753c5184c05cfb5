package broadcaster

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"weir/internal/mistsim/ts"
)

const (
	// firstFile is the file descriptor of the first output.
	firstFile = 3
	// maxComplaint is how much of ffmpeg's last words an error quotes.
	maxComplaint = 400
)

// output is one rendition to make.
type output struct {
	profile       *Profile
	width, height int
	grid          grid
	// frames is how many fill the grid; 0 where frames keep their own times.
	frames int64
	// rate is for the header where there is no grid.
	rate float64
}

// decodes says whether the transcoder has a decoder; the production build of the
// real one has none for HEVC and MPEG-2.
func (b *Broadcaster) decodes(codec string) bool {
	return codec == ts.H264 || codec == ts.HEVC && b.cfg.HEVC
}

// plan says what becomes of the segment, or which of them an orchestrator refuses.
func (b *Broadcaster) plan(p *post, src *source, profiles []Profile) ([]output, error) {
	switch {
	case !b.decodes(src.codec):
		return nil, p.refuseSegment(reasonVideo)
	case len(profiles) > maxProfiles:
		return nil, p.refuseSegment(reasonOutputs)
	case len(src.times) == 0:
		return nil, fmt.Errorf("%w: no keyframe", errDropped)
	}
	outputs := make([]output, 0, len(profiles))
	for i := range profiles {
		o := output{profile: &profiles[i], rate: src.rate}
		if gop, _ := o.profile.gop(); gop < 0 {
			return nil, p.refuseSegment(reasonGOP)
		}
		o.width, o.height = size(src.header.Width, src.header.Height, o.profile.Width, o.profile.Height)
		outputs = append(outputs, o)
	}
	if src.sound == ts.MP2 || src.sound == ts.AC3 {
		return nil, p.refuseSegment(reasonSound)
	}
	for i := range outputs {
		o := &outputs[i]
		if !o.profile.opens() {
			return nil, fmt.Errorf("%w: %s: no encoder opens with %d b/s", errDropped, o.profile.Name, o.profile.Bitrate)
		}
		g, fixed := o.profile.grid()
		if !fixed {
			continue
		}
		var ok bool
		if o.frames, ok = g.frames(src.times, src.frameTicks()); !ok {
			return nil, p.refuseSegment(reasonRunaway)
		}
		o.grid = g
	}
	return outputs, nil
}

// encode makes all renditions in one run of ffmpeg, which decodes once.
func (b *Broadcaster) encode(ctx context.Context, p *post, outputs []output) ([][]byte, error) {
	cmd := exec.CommandContext(ctx, b.cfg.FFmpeg, b.arguments(p, outputs)...)
	cmd.Stdin = bytes.NewReader(p.data)
	complaint := &tail{}
	cmd.Stderr = complaint
	for range outputs {
		f, err := unnamed()
		if err != nil {
			return nil, fmt.Errorf("file for a rendition of %s: %w", p.name, err)
		}
		defer f.Close()
		cmd.ExtraFiles = append(cmd.ExtraFiles, f)
	}
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("ffmpeg: %w: %s", err, bytes.TrimSpace(complaint.last))
	}
	renditions := make([][]byte, 0, len(outputs))
	for _, f := range cmd.ExtraFiles {
		data, err := io.ReadAll(io.NewSectionReader(f, 0, math.MaxInt64))
		if err != nil {
			return nil, fmt.Errorf("read a rendition of %s: %w", p.name, err)
		}
		renditions = append(renditions, data)
	}
	return renditions, nil
}

// unnamed opens a file that is gone when it is closed. ffmpeg can seek in it, as
// MP4 needs, and a kill leaves nothing.
func unnamed() (*os.File, error) {
	f, err := os.CreateTemp("", "rendition-")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

func (b *Broadcaster) arguments(p *post, outputs []output) []string {
	args := strings.Fields("-nostdin -hide_banner -loglevel error -abort_on empty_output -y -copyts -f mpegts -i pipe:0 -filter_complex")
	var graph strings.Builder
	fmt.Fprintf(&graph, "[0:v:0]split=%d", len(outputs))
	for i := range outputs {
		fmt.Fprintf(&graph, "[s%d]", i)
	}
	for i := range outputs {
		fmt.Fprintf(&graph, ";[s%d]%s[v%d]", i, outputs[i].filters(p), i)
	}
	args = append(args, graph.String())
	for i := range outputs {
		args = append(args, "-map", fmt.Sprintf("[v%d]", i), "-map", "0:a:0?", "-c:a", "copy")
		if p.from > 0 || p.to > 0 {
			args = append(args, "-bsf:a", p.soundSlice())
		}
		args = append(args, outputs[i].encoder(b.cfg.Preset)...)
		args = append(args, "-muxdelay", "0", "-muxpreload", "0", "-movflags", "faststart",
			"-f", p.format.muxer, fmt.Sprintf("/dev/fd/%d", firstFile+i))
	}
	return args
}

// filters is the way of the frames to the encoder. The shape of pixels is lost.
func (o *output) filters(p *post) string {
	f := fmt.Sprintf("scale=%d:%d,setsar=0,format=yuv420p", o.width, o.height)
	if o.frames > 0 {
		// This ffmpeg's fps filter leaves out the last frame, whose length it does
		// not know: so it gets more than it needs, and what is too much is cut off.
		f += fmt.Sprintf(",tpad=stop=-1:stop_mode=clone,fps=%d/%d,trim=end_frame=%d", o.grid.num, o.grid.den, o.frames)
	}
	switch from, to := p.from.Seconds(), p.to.Seconds(); {
	case from > 0: // counted from the first frame; what is left starts at 0
		f += fmt.Sprintf(",setpts=PTS-STARTPTS,select=gte(t\\,%g),setpts=PTS-%g/TB", from, from)
		if to > 0 {
			f += fmt.Sprintf(",select=lte(t\\,%g)", to-from)
		}
	case to > 0:
		f += fmt.Sprintf(",select=lte(t-start_t\\,%g)", to)
	}
	return f
}

// soundSlice leaves out the packets beyond the slice. The real one leaves out some
// more at its start.
func (p *post) soundSlice() string {
	from, to := p.from.Seconds(), p.to.Seconds()
	drop := fmt.Sprintf("lt((pts-startpts)*tb,%g)", from)
	if to > 0 {
		drop += fmt.Sprintf("+gt((pts-startpts)*tb,%g)", to)
	}
	bsf := "noise=drop='" + drop + "'"
	if from > 0 {
		bsf += ",setts=ts=TS-STARTPTS" // of the first packet that is left
	}
	return bsf
}

// encoder is what LPMS sets, at a preset of ours.
func (o *output) encoder(preset string) []string {
	p := o.profile
	args := []string{
		"-c:v", "libx264", "-preset", preset, "-forced-idr", "1", "-vsync", "passthrough",
		"-bf", strconv.Itoa(p.bFrames()), "-b_strategy", "1",
	}
	h264 := h264Profiles[strings.ToLower(p.Profile)]
	if h264 != "" {
		args = append(args, "-profile:v", h264)
	}
	if h264 == "" || h264 == "high" {
		args = append(args, "-8x8dct", "1") // without, a fast preset's High is Main
	}
	if interval := p.interval(); interval != "" {
		args = append(args, "-g", interval)
	}
	if o.frames == 0 {
		// With the source's time base the encoder would announce 90,000 frames a second.
		args = append(args, "-enc_time_base", "-1", "-bsf:v", fmt.Sprintf("h264_metadata=tick_rate=%d/%d", int(math.Round(2*o.rate*fpks)), fpks))
		if gop, _ := p.gop(); gop > 0 {
			args = append(args, "-force_key_frames", fmt.Sprintf("expr:if(isnan(prev_forced_t),1,gte(t,prev_forced_t+%g))", gop.Seconds()))
		}
	}
	if p.Bitrate > 0 {
		bitrate := strconv.Itoa(p.Bitrate)
		args = append(args, "-b:v", bitrate, "-minrate", bitrate, "-maxrate", bitrate, "-bufsize", bitrate)
	}
	return args
}

// tail keeps the end of what is written to it.
type tail struct{ last []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.last = append(t.last, p...)
	t.last = t.last[max(0, len(t.last)-maxComplaint):]
	return len(p), nil
}
