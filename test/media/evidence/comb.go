package evidence

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
)

var detected = regexp.MustCompile(`Multi frame detection: TFF: *(\d+) BFF: *(\d+) Progressive: *(\d+)`)

// Combed says how many of a file's frames show two times at once, as a share. It can tell only at
// the source's own size.
func Combed(ctx context.Context, path string) (float64, error) {
	_, log, err := decode(ctx, path, "-map", "0:v:0", "-vf", "idet", "-f", "null", "-")
	if err != nil {
		return 0, err
	}
	m := detected.FindStringSubmatch(log)
	if m == nil {
		return 0, fmt.Errorf("%s: ffmpeg's idet says nothing", path)
	}
	var counts [3]float64
	for i := range counts {
		counts[i], _ = strconv.ParseFloat(m[i+1], 64)
	}
	combed := counts[0] + counts[1]
	return combed / max(combed+counts[2], 1), nil
}
