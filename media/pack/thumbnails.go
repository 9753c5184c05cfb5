package pack

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"weir/media/mpegts"
)

const (
	thumbnailsName = "thumbnails.vtt"

	// A picture is no larger than this box, and never larger than the rung's.
	thumbnailWidth, thumbnailHeight = 640, 360

	// thumbnailQuality is ffmpeg's for JPEG, from 2 (best) to 31: some 30 kB at the full size.
	thumbnailQuality = "4"
)

// Thumbnails are pictures along a rung.
type Thumbnails struct {
	File     string   // the WebVTT that names them
	Pictures []string // in order
	Bytes    int64    // of the pictures
}

// Files are all, in the order in which they may be uploaded.
func (t Thumbnails) Files() []string { return append(slices.Clone(t.Pictures), t.File) }

// pictureName is what pictures are called, by their number from 0.
const pictureName = "%d.jpg"

// Picture is the name of one of them.
func Picture(number int) string { return fmt.Sprintf(pictureName, number) }

// Thumbnails makes a picture for each segment of HLS of that length: its first. Only those are
// decoded, so a rung of hours takes seconds.
func (p Packer) Thumbnails(ctx context.Context, rung Rung, dir string, every time.Duration) (Thumbnails, error) {
	thumbs, err := p.thumbnails(ctx, rung, dir, every)
	return thumbs, failed("thumbnails", rung, err)
}

func (p Packer) thumbnails(ctx context.Context, rung Rung, dir string, every time.Duration) (Thumbnails, error) {
	t, err := look(ctx, rung)
	if err != nil {
		return Thumbnails{}, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return Thumbnails{}, err
	}
	spans := t.plan(every, pictureName)
	pictures, err := t.firsts(ctx, rung.File, spans)
	if err != nil {
		return Thumbnails{}, err
	}
	width, height := boxed(rung.Width, rung.Height)
	if err := p.tools().Run(ctx, bytes.NewReader(pictures), nil,
		"-nostdin", "-y", "-hide_banner", "-loglevel", "error", "-xerror", "-protocol_whitelist", "pipe", "-f", "h264", "-i", "pipe:0",
		"-fps_mode", "passthrough", "-vf", fmt.Sprintf("scale=%d:%d:flags=area", width, height), "-pix_fmt", "yuvj420p",
		"-c:v", "mjpeg", "-q:v", thumbnailQuality, "-f", "image2", "-start_number", "0", "file:"+filepath.Join(escaped(dir), pictureName)); err != nil {
		return Thumbnails{}, err
	}
	thumbs := Thumbnails{File: thumbnailsName}
	for _, s := range spans {
		info, err := os.Stat(filepath.Join(dir, s.name))
		if err != nil {
			return Thumbnails{}, err
		}
		thumbs.Pictures = append(thumbs.Pictures, s.name)
		thumbs.Bytes += info.Size()
	}
	return thumbs, os.WriteFile(filepath.Join(dir, thumbnailsName), vtt(spans), 0o644)
}

// escaped is a folder in a pattern of names.
func escaped(dir string) string {
	return string(bytes.ReplaceAll([]byte(dir), []byte("%"), []byte("%%")))
}

// boxed is the size of a picture in the box, in its aspect.
func boxed(width, height int) (int, int) {
	part := min(1, thumbnailWidth/float64(max(1, width)), thumbnailHeight/float64(max(1, height)))
	side := func(n int) int { return max(1, int(math.Round(float64(n)*part))) }
	return side(width), side(height)
}

// firsts are the keyframes that the spans begin with, one after the other, each with the parameter
// sets that it needs.
func (t *tracks) firsts(ctx context.Context, path string, spans []span) ([]byte, error) {
	var all []byte
	sets := map[byte][]byte{} // the latest, by kind
	n := 0
	err := each(ctx, path, t.video, func(p *pes) error {
		own := map[byte]bool{}
		for unit := range mpegts.Units(p.data) {
			if len(unit) > 0 && (unit[0]&0x1f == unitSPS || unit[0]&0x1f == unitPPS) {
				kind := unit[0] & 0x1f
				own[kind] = true
				sets[kind] = slices.Concat([]byte{0, 0, 0, 1}, unit)
			}
		}
		if !p.key || n >= len(spans) || n > 0 && p.pts-t.zero() < spans[n].from {
			return nil
		}
		n++
		for _, kind := range []byte{unitSPS, unitPPS} {
			if !own[kind] {
				all = append(all, sets[kind]...)
			}
		}
		all = append(all, p.data...)
		return nil
	})
	if err == nil && n != len(spans) {
		err = fmt.Errorf("%d keyframes for %d segments", n, len(spans))
	}
	return all, err
}

// vtt names a picture for each span.
func vtt(spans []span) []byte {
	var b bytes.Buffer
	b.WriteString("WEBVTT\n")
	for _, s := range spans {
		fmt.Fprintf(&b, "\n%s --> %s\n%s\n", stamp(s.from), stamp(s.to), s.name)
	}
	return b.Bytes()
}

// stamp is a time as WebVTT has it.
func stamp(ticks int64) string {
	const ticksPerMS = clock / 1000
	at := time.Duration((ticks+ticksPerMS/2)/ticksPerMS) * time.Millisecond
	return fmt.Sprintf("%02d:%02d:%02d.%03d", int(at.Hours()), int(at.Minutes())%60, int(at.Seconds())%60, at.Milliseconds()%1000)
}
