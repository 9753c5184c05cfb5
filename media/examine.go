package media

import (
	"bytes"
	"context"
	"fmt"
	"strings"
)

// needs is what Weir asks of ffmpeg, by the option that lists it. A word with slashes is
// any of several.
func needs() []struct{ list, words string } {
	return []struct{ list, words string }{
		{"encoders", "libx264 aac mjpeg wrapped_avframe"},
		{"decoders", "h264 hevc mpeg2video vp8 vp9 av1/libdav1d/libaom-av1 aac mp3/mp3float opus ac3 pcm_s16le"},
		{"filters", "scale setsar format split fps bwdif zscale tonemap"},
		{"bsfs", "setts h264_mp4toannexb hevc_mp4toannexb h264_metadata aac_adtstoasc"},
		{"muxers", "mpegts mp4 framecrc image2 h264"},
		{"demuxers", "mpegts mov matroska h264"},
	}
}

// Versions runs both programs, and says what they are. The error names the one that can't
// be run.
func (t *Tools) Versions(ctx context.Context) (ffmpeg, ffprobe string, err error) {
	if ffmpeg, err = toolVersion(ctx, t.ffmpeg()); err != nil {
		return "", "", err
	}
	ffprobe, err = toolVersion(ctx, t.ffprobe())
	return ffmpeg, ffprobe, err
}

func toolVersion(ctx context.Context, tool string) (string, error) {
	var out bytes.Buffer
	if err := run(ctx, tool, nil, &out, "-version"); err != nil {
		return "", fmt.Errorf("%s -version: %w", tool, err)
	}
	line, _, _ := strings.Cut(out.String(), "\n")
	line, _, _ = strings.Cut(line, " Copyright")
	return line, nil
}

// Lacks are the encoders, decoders, filters and so on that ffmpeg has not, and Weir uses.
func (t *Tools) Lacks(ctx context.Context) (lacks []string, err error) {
	for _, need := range needs() {
		var out bytes.Buffer
		if err := run(ctx, t.ffmpeg(), nil, &out, "-hide_banner", "-"+need.list); err != nil {
			return nil, fmt.Errorf("%s -%s: %w", t.ffmpeg(), need.list, err)
		}
		has := listedNames(out.String())
		for words := range strings.FieldsSeq(need.words) {
			found := false
			for word := range strings.SplitSeq(words, "/") {
				found = found || has[word]
			}
			if !found {
				lacks = append(lacks, strings.TrimSuffix(need.list, "s")+" "+words)
			}
		}
	}
	return lacks, nil
}

// listedNames reads ffmpeg's lists: a name a line, behind flags where there are any, and
// several names of one thing joined by commas.
func listedNames(text string) map[string]bool {
	names := map[string]bool{}
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		for _, field := range fields[:min(len(fields), 3)] { //nolint:mnd // flags may be two words: "D d"
			for name := range strings.SplitSeq(field, ",") {
				names[name] = true
			}
		}
	}
	return names
}
