package footage

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

func seconds(s float64) string { return strconv.FormatFloat(s, 'f', -1, 64) }

// joins are transport streams that were put together from others, end to end.
func joins() []Case {
	const jump, hole = "a join", "a hole"
	b := withB(2) + aac + "-g 25"
	return []Case{
		joined(jump, "joined_restart.ts", noB+aac+"-g 25", video, 0, 0),
		joined(jump, "joined_restart_3.ts", b, video, 0, 0, 0),
		joined(jump, "joined_jump_5000.ts", noB+aac+"-g 25", video, 0, 5000),
		joined(jump, "joined_jump_100.ts", b, cd, 0, 100, 300),
		joined(jump, "joined_back.ts", noB+aac+"-g 25", video, 5000, 0),
		joined(jump, "joined_back_40.ts", b, video, 60, 20),
		joined(hole, "hole_8s.ts", noB+aac+"-g 25", video, 0, 10.36),
		joined(hole, "hole_0_8s.ts", b, video, 0, 3.16),
		joined(hole, "hole_20s.ts", b, video, 0, 22.36),
		joined(hole, "holes_3s_5s.ts", noB+"-c:a mp2 -g 25", video, 0, 5.36, 12.72),
	}
}

const (
	// partFrames, at 25 a second, end between two beeps.
	partFrames = 59
	// longestHole is what a player waits for; what is longer is a join, and one back is one too.
	longestHole = 30
	// base keeps the priming of an encoder, which comes before 0, from moving a part.
	base = 2
)

// joined is parts of one content, each from another time on.
func joined(kind, name, args string, hertz int, starts ...float64) Case {
	part := func(i int) shot { return shot{first: i * partFrames, frames: partFrames, hertz: hertz} }
	whole := part(0)
	whole.frames = len(starts) * partFrames
	c := Case{Kind: kind, Name: name, Truth: whole.truth()}
	c.Decodes = false
	for i := 1; i < len(starts); i++ {
		if gap := starts[i] - starts[i-1] - part(0).normal().seconds(); gap > 0 && gap <= longestHole {
			c = with(c, step(i*partFrames, gap))
		}
	}
	c.write = func(ctx context.Context, dir, path string) error {
		out, err := os.Create(path)
		if err != nil {
			return err
		}
		defer out.Close()
		for i, start := range starts {
			file := fmt.Sprintf("%d.ts", i)
			all := append(part(i).inputs(), words(args+" -output_ts_offset "+seconds(base+start))...)
			if err := ffmpeg(ctx, dir, append(all, file)...); err != nil {
				return err
			}
			data, err := os.ReadFile(filepath.Join(dir, file))
			if err != nil {
				return err
			}
			if _, err := out.Write(data); err != nil {
				return err
			}
		}
		return out.Close()
	}
	return c
}
