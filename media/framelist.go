package media

import (
	"bytes"
	"io"
	"math"
	"strconv"
	"strings"
)

// A frameList is when the frames are shown that ffmpeg decoded, as its framecrc muxer lists them. It
// is the io.Writer that the listing goes to.
type frameList struct {
	line []byte
	base float64 // microseconds of a unit
	us   []int64
}

// arguments are ffmpeg's, for the output that is listed. The pictures themselves are not looked at.
func (f *frameList) arguments(to string) []string {
	return []string{"-c:v", "wrapped_avframe", "-fps_mode", "passthrough", "-enc_time_base", "-1", "-f", "framecrc", to}
}

// times are microseconds, in the file's own time, in the order of the frames.
func (f *frameList) times() []int64 { return f.us }

// Write takes the listing in pieces of any size.
func (f *frameList) Write(p []byte) (int, error) {
	n := len(p)
	for {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			break
		}
		f.line = append(f.line, p[:i]...)
		f.end()
		p = p[i+1:]
	}
	f.line = append(f.line, p...)
	return n, nil
}

// ReadFrom takes all of a listing.
func (f *frameList) ReadFrom(r io.Reader) (int64, error) { return io.Copy(struct{ io.Writer }{f}, r) }

// end reads a line as "#tb 0: 1/15360" or "0, 512, 512, 512, 776, 0x5f2b...": stream, DTS, PTS.
func (f *frameList) end() {
	line := string(f.line)
	f.line = f.line[:0]
	if base, ok := strings.CutPrefix(line, "#tb 0: "); ok {
		if rate := parseRate(strings.TrimSpace(base)); rate.Den > 0 {
			f.base = second * rate.FPS()
		}
		return
	}
	if strings.HasPrefix(line, "#") {
		return
	}
	const pts = 2
	columns := strings.SplitN(line, ",", pts+2)
	if len(columns) <= pts {
		return
	}
	if units, err := strconv.ParseInt(strings.TrimSpace(columns[pts]), 10, 64); err == nil {
		f.us = append(f.us, int64(math.Round(float64(units)*f.base)))
	}
}
