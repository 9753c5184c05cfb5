package media

import (
	"bytes"
	"context"
	"encoding/json"
	"strconv"
	"strings"
)

// Glimpse is what a file says of itself, which Probe would find out by reading it.
type Glimpse struct {
	DurationMS int64
	// Width and Height are as it is shown: upright, with square pixels.
	Width, Height          int
	VideoCodec, AudioCodec string
	// BitRate is the video's; 0: the header does not say.
	BitRate int64
}

// Glance reads what a file's header says, of a file that may have holes. What it finds is
// not proven. A file that says nothing that can be read is an *Error with
// [CodeSourceUnreadable], one without video with [CodeSourceNoVideo].
func (t *Tools) Glance(ctx context.Context, path string) (Glimpse, error) {
	unreadable := &Error{
		Code: CodeSourceUnreadable, Op: "glance", Path: path,
		Text: "the source's beginning and end do not say what it holds",
	}
	opened, err := input(path)
	if err != nil {
		return Glimpse{}, blame(err, unreadable)
	}
	var out bytes.Buffer
	args := append([]string{"-v", "error", "-of", "json", "-show_entries",
		"format=duration:stream=codec_type,codec_name,width,height,sample_aspect_ratio,duration,bit_rate:stream_disposition=attached_pic:stream_side_data=rotation"}, opened...)
	if err := run(ctx, t.ffprobe(), nil, &out, args...); err != nil {
		return Glimpse{}, blame(err, unreadable)
	}
	var said struct {
		Format  struct{ Duration string }
		Streams []struct {
			Type        string `json:"codec_type"`
			Codec       string `json:"codec_name"`
			Width       int
			Height      int
			Aspect      string `json:"sample_aspect_ratio"`
			Duration    string
			BitRate     string `json:"bit_rate"`
			Disposition struct {
				Picture int `json:"attached_pic"`
			}
			SideData []struct{ Rotation float64 } `json:"side_data_list"`
		}
	}
	if err := json.Unmarshal(out.Bytes(), &said); err != nil {
		return Glimpse{}, blame(err, unreadable)
	}
	var g Glimpse
	for _, s := range said.Streams {
		switch {
		case s.Type == "audio" && g.AudioCodec == "":
			g.AudioCodec = s.Codec
		case s.Type == "video" && s.Disposition.Picture == 0 && g.VideoCodec == "" && s.Width > 0 && s.Height > 0:
			g.VideoCodec = s.Codec
			shown := stream{width: s.Width, height: s.Height, aspect: ratio(s.Aspect)}
			g.Width, g.Height = shown.square()
			for _, side := range s.SideData {
				if turned := int(side.Rotation) % 180; turned == 90 || turned == -90 {
					g.Width, g.Height = g.Height, g.Width
				}
			}
			g.DurationMS = milliseconds(s.Duration)
			g.BitRate, _ = strconv.ParseInt(s.BitRate, 10, 64) // "" and "N/A" are 0
		}
	}
	if g.VideoCodec == "" {
		return Glimpse{}, &Error{Code: CodeSourceNoVideo, Op: "glance", Path: path, Text: "the source holds no video"}
	}
	if g.DurationMS == 0 {
		g.DurationMS = milliseconds(said.Format.Duration)
	}
	return g, nil
}

// ratio reads a pixel's, as 4:3; zero: it is not told.
func ratio(text string) (r Rate) {
	num, den, _ := strings.Cut(text, ":")
	r.Num, _ = strconv.ParseInt(num, 10, 64)
	r.Den, _ = strconv.ParseInt(den, 10, 64)
	return r
}

// milliseconds reads what ffprobe says of a time; 0: it says none.
func milliseconds(text string) int64 {
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil || seconds < 0 {
		return 0
	}
	return int64(seconds*1000 + 0.5) //nolint:mnd // to the nearest
}
