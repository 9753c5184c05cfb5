package evidence

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"

	"weir/test/media/footage"
)

// A Frame is one that a player shows.
type Frame struct {
	At    float64 // seconds, as the file counts
	Thumb []byte  // footage.ThumbWidth x footage.ThumbHeight, gray
}

// Number is what footage burned in, -1 where nothing can be read.
func (f Frame) Number() int {
	if n, ok := footage.ReadNumber(f.Thumb); ok {
		return n
	}
	return -1
}

// Picture is a file's video.
type Picture struct {
	Frames        []Frame
	Width, Height int     // upright
	Aspect        float64 // as shown
	Square        bool    // pixels
	Steady        bool    // its size is one from start to end
	PixFmt        string
	Progressive   bool // by what every frame says
}

// Numbers are the frames', in the order in which they are shown.
func (p *Picture) Numbers() []int {
	numbers := make([]int, len(p.Frames))
	for i, f := range p.Frames {
		numbers[i] = f.Number()
	}
	return numbers
}

// Times are the frames', in seconds from the first.
func (p *Picture) Times() []float64 {
	times := make([]float64, len(p.Frames))
	for i, f := range p.Frames {
		times[i] = f.At - p.Frames[0].At
	}
	return times
}

var (
	// showinfo's lines, as of ffmpeg 5 to 8: times are rounded, ticks are not.
	timeBase = regexp.MustCompile(`config in time_base: (\d+)/(\d+)`)
	shown    = regexp.MustCompile(`\] n: *\d+ pts: *(-?\d+|NOPTS).* fmt:(\S+) .*sar:(\d+)/(\d+) s:(\d+)x(\d+) i:(\S)`)
)

// ErrNoVideo says that a file has no such stream, or nothing in it.
var ErrNoVideo = errors.New("no video in it")

// Look decodes a file's video as a player shows it: edit lists kept, rotated upright.
func Look(ctx context.Context, path, stream string) (*Picture, error) {
	filter := fmt.Sprintf("showinfo=checksum=0,scale=%d:%d:flags=area,format=gray", footage.ThumbWidth, footage.ThumbHeight)
	raw, log, err := decode(ctx, path, "-map", "0:"+stream, "-vf", filter, "-fps_mode", "passthrough", "-f", "rawvideo", "-")
	if err != nil {
		return nil, err
	}
	p := &Picture{Square: true, Steady: true, Progressive: true}
	num, den := 0, 0
	const size = footage.ThumbWidth * footage.ThumbHeight
	for line := range strings.Lines(log) {
		if m := timeBase.FindStringSubmatch(line); m != nil {
			num, _ = strconv.Atoi(m[1])
			den, _ = strconv.Atoi(m[2])
		}
		m := shown.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		ticks, err := strconv.ParseInt(m[1], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%s: frame %d has no time", path, len(p.Frames))
		}
		if len(raw) < size {
			return nil, fmt.Errorf("%s: fewer pictures than times", path)
		}
		p.shape(m[2:])
		p.Frames = append(p.Frames, Frame{At: float64(ticks) * float64(num) / float64(den), Thumb: raw[:size:size]})
		raw = raw[size:]
	}
	switch {
	case len(raw) > 0:
		return nil, fmt.Errorf("%s: %d bytes of pictures without a time", path, len(raw))
	case len(p.Frames) == 0:
		return nil, fmt.Errorf("%s: %w", path, ErrNoVideo)
	}
	return p, nil
}

// shape takes what showinfo says of the next frame: format, two numbers of the pixels' shape, two of
// the size, and whether it is of one time.
func (p *Picture) shape(said []string) {
	var n [4]int
	for i := range n {
		n[i], _ = strconv.Atoi(said[1+i]) // digits
	}
	num, den, width, height := max(n[0], 1), max(n[1], 1), n[2], n[3]
	if n[0] == 0 { // unknown
		den = num
	}
	if len(p.Frames) == 0 {
		p.PixFmt, p.Width, p.Height = said[0], width, height
		p.Aspect = float64(width) / float64(height) * float64(num) / float64(den)
	}
	p.Square = p.Square && num == den
	p.Steady = p.Steady && width == p.Width && height == p.Height
	p.Progressive = p.Progressive && said[5] == "P"
}

// later is what all times are moved by while a file is decoded. Without it ffmpeg takes a transport
// stream that starts at exactly 0 for one whose start is still to be corrected, and counts a stream
// that is decoded alone from its own start (process_input in ffmpeg 5.1).
const later = "10"

// decode runs ffmpeg over a file and returns what it writes and what it logs.
func decode(ctx context.Context, path string, args ...string) (raw []byte, log string, err error) {
	cmd := exec.CommandContext(ctx, "ffmpeg", append([]string{"-nostdin", "-hide_banner", "-nostats", "-copyts", "-itsoffset", later, "-i", path}, args...)...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return nil, "", fmt.Errorf("ffmpeg %s: %w: %s", path, err, lastLine(errs.String()))
	}
	return out.Bytes(), errs.String(), nil
}

func lastLine(log string) (last string) {
	lines := bufio.NewScanner(strings.NewReader(log))
	for lines.Scan() {
		last = lines.Text()
	}
	return last
}
