package evidence

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"strconv"
)

// Best names the streams of a file that somebody would watch and hear: the largest picture that
// decodes to more than one frame, and the first sound of its program that ffmpeg knows.
func Best(ctx context.Context, path string) (picture, sound string, err error) {
	out, err := exec.CommandContext(ctx, "ffprobe", "-v", "error", "-of", "json", "-count_frames", "-show_programs",
		"-show_entries", "stream=index,codec_type,codec_name,width,height,nb_read_frames,channels:stream_disposition=attached_pic", path).Output()
	if err != nil {
		return "", "", fmt.Errorf("%s: ffprobe: %w", path, err)
	}
	type stream struct {
		Index         int
		Type          string `json:"codec_type"`
		Codec         string `json:"codec_name"`
		Width, Height int
		Frames        string `json:"nb_read_frames"`
		Disposition   struct {
			Cover int `json:"attached_pic"`
		}
	}
	var probed struct {
		Streams  []stream
		Programs []struct{ Streams []stream }
	}
	if err := json.Unmarshal(out, &probed); err != nil {
		return "", "", fmt.Errorf("%s: ffprobe's answer: %w", path, err)
	}
	best, most := -1, 0
	for _, s := range probed.Streams {
		frames, _ := strconv.Atoi(s.Frames) // "N/A": none
		if size := s.Width * s.Height; s.Type == "video" && s.Disposition.Cover == 0 && frames > 0 && size*min(frames, 2) > most {
			best, most = s.Index, size*min(frames, 2)
		}
	}
	if best < 0 {
		return "", "", fmt.Errorf("%s: %w", path, ErrNoVideo)
	}
	candidates := probed.Streams
	for _, p := range probed.Programs {
		for _, s := range p.Streams {
			if s.Index == best {
				candidates = p.Streams
			}
		}
	}
	sound = "a:0"
	for _, s := range candidates {
		if s.Type == "audio" && s.Codec != "" && s.Codec != "unknown" {
			sound = strconv.Itoa(s.Index)
			break
		}
	}
	return strconv.Itoa(best), sound, nil
}
