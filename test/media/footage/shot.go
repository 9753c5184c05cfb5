package footage

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
)

// A shot is a piece of content.
type shot struct {
	size   string // 320x240 where empty
	rate   Rate   // 25 where empty
	first  int    // number of the first frame
	frames int
	// perFrame is 2 where two pictures make a frame.
	perFrame int
	// filter does something to the numbered pictures.
	filter string
	// hertz of the sound, 0 for none.
	hertz int
	// longer is by how many seconds the sound goes on; shorter where negative.
	longer float64
}

func (s shot) normal() shot {
	if s.size == "" {
		s.size = "320x240"
	}
	if s.rate.Num == 0 {
		s.rate = Rate{25, 1}
	}
	s.perFrame = max(s.perFrame, 1)
	return s
}

func (s shot) from() float64    { return float64(s.first) / s.rate.FPS() }
func (s shot) seconds() float64 { return float64(s.frames) / s.rate.FPS() }

// inputs are ffmpeg's arguments for the picture and the sound, in this order.
func (s shot) inputs() []string {
	s = s.normal()
	picture := fmt.Sprintf("testsrc2=s=%s:r=%d/%d,%s,trim=end_frame=%d", s.size, s.rate.Num*s.perFrame, s.rate.Den, number(s.first, s.perFrame), s.frames*s.perFrame)
	if s.filter != "" {
		picture += "," + s.filter
	}
	args := []string{"-f", "lavfi", "-i", picture}
	if s.hertz > 0 {
		args = append(args, "-f", "lavfi", "-i", beeps(s.from(), s.seconds()+s.longer, s.hertz))
	}
	return args
}

// truth is what holds for a shot in a file that changes nothing.
func (s shot) truth() Truth {
	s = s.normal()
	t := Truth{Outcome: OutcomeOK, Rate: s.rate, Decodes: true, Aspect: aspectOf(s.size), Fields: s.perFrame == 2}
	for n := range s.frames {
		t.Numbers = append(t.Numbers, s.first+n)
	}
	if s.hertz > 0 {
		t.Sound = &Sound{From: s.from(), To: s.from() + s.seconds() + s.longer}
	}
	return t
}

func aspectOf(size string) float64 {
	var w, h float64
	if _, err := fmt.Sscanf(size, "%fx%f", &w, &h); err != nil {
		panic("size " + size + ": " + err.Error())
	}
	return w / h
}

// ffmpeg runs it in a folder.
func ffmpeg(ctx context.Context, dir string, args ...string) error {
	cmd := exec.CommandContext(ctx, "ffmpeg", append([]string{"-nostdin", "-hide_banner", "-loglevel", "error", "-y"}, args...)...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("ffmpeg %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return nil
}

// words splits arguments that have no spaces in them.
func words(s string) []string { return strings.Fields(s) }
