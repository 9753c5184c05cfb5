package footage

import (
	"context"
	"fmt"
	"strings"
)

// geometry are files whose container or stream says of the picture what its size does not.
func geometry() []Case {
	thirty := Rate{30, 1}
	wide := shot{size: "320x180", rate: thirty, frames: 90, hertz: video}
	tall := shot{size: "180x320", rate: thirty, frames: 90, hertz: video}
	turned := func(s shot, how string) shot { s.filter = how; return s }
	rotate := func(degrees int) string {
		return fmt.Sprintf("-i a.mp4 -c copy -metadata:s:v rotate=%d", degrees)
	}
	b := withB(2) + aac + "-g 30"
	wide16, old := 16.0/9, 4.0/3
	return []Case{
		trimmed("edit list", "trimmed.mp4", 1.3, 3.1, shot{size: "320x180", rate: thirty, frames: 180, hertz: video}, withB(2)+aac+"-g 60", ""),
		trimmed("edit list", "trimmed_25.mov", 0.83, 2.6, shot{frames: 120, hertz: video}, withB(3)+aac+"-g 100", ""),
		trimmed("edit list", "trimmed_no_b.mp4", 2.36, 2, shot{frames: 120, hertz: video}, noB+aac+"-g 50", ""),
		trimmed("edit list, rotated", "trimmed_portrait.mp4", 1.3, 3.1, turned(shot{size: "180x320", rate: thirty, frames: 180, hertz: video}, "transpose=clock"), withB(2)+aac+"-g 60", "-metadata:s:v rotate=90"),
		trimmed("edit list, rotated", "trimmed_upside_down.mp4", 0.8, 2.3, turned(shot{size: "320x180", frames: 120, hertz: video}, "hflip,vflip"), withB(1)+aac+"-g 100", "-metadata:s:v rotate=180"),
		copied("rotated", "portrait_90.mp4", "a.mp4", turned(tall, "transpose=clock"), b, rotate(90)),
		copied("rotated", "portrait_270.mov", "a.mp4", turned(tall, "transpose=cclock"), noB+aac+"-g 60", rotate(270)),
		copied("rotated", "upside_down.mp4", "a.mp4", turned(wide, "hflip,vflip"), b, rotate(180)),
		encoded("portrait", "portrait_coded.mp4", tall, b),
		encoded("portrait", "portrait_coded_4_3.ts", shot{size: "240x320", frames: 75, hertz: video}, noB+aac+"-g 25"),
		encoded("size", "four_by_three.mp4", shot{size: "400x300", frames: 75}, noB+"-g 25"),
		encoded("size", "wide_screen.mp4", shot{size: "480x200", frames: 75, hertz: video}, withB(2)+aac+"-g 50"),
		encoded("size", "odd.mp4", shot{size: "322x242", frames: 75, hertz: video}, b),
		copied("aspect in the container", "aspect_in_mp4.mp4", "a.mp4", wide, b, "-i a.mp4 -c copy -aspect 4:3", aspect(old)),
		copied("aspect in the container", "aspect_in_mkv.mkv", "a.mp4", wide, b, "-i a.mp4 -c copy -aspect 4:3", aspect(old)),
		copied("aspect in the container", "aspect_wide_in_mov.mov", "a.mp4", shot{frames: 75, hertz: cd}, noB+aac+"-g 25", "-i a.mp4 -c copy -aspect 16:9", aspect(wide16)),
		encoded("aspect in the stream", "sar_in_stream.mp4", shot{size: "360x288", frames: 75, hertz: video, filter: "setsar=64/45"}, noB+aac+"-g 25", aspect(wide16)),
		encoded("aspect in the stream", "sar_in_stream_ntsc.ts", shot{size: "352x240", rate: Rate{30000, 1001}, frames: 90, hertz: video, filter: "setsar=10/11"}, b, aspect(old)),
		sizes("size changes", "size_grows.ts", "320x240", "480x360"),
		sizes("size changes", "size_shrinks.ts", "480x360", "320x240"),
		sizes("size changes", "size_other_aspect.ts", "320x240", "320x180"),
	}
}

// trimmed is cut out of a shot without encoding: an edit list hides what comes before the cut. What
// is shown can be said to a frame; the file's own decode says which.
func trimmed(kind, name string, from, length float64, s shot, encode, args string) Case {
	c := copied(kind, name, "a.mp4", s, encode, "-ss "+seconds(from)+" -i a.mp4 -t "+seconds(length)+" -c copy "+args)
	rate := c.Rate.FPS()
	first := int(from*rate + 0.999)
	c.Numbers = only(c.Numbers, func(n int) bool { return n >= first && float64(n) < (from+length)*rate+0.5 })
	c.Sound.From, c.Sound.To = from, from+length
	c.Loose = true
	return c
}

// sizes is a transport stream whose picture changes its size in the middle.
func sizes(kind, name string, sizes ...string) Case {
	s := shot{size: sizes[0], frames: 2 * partFrames, hertz: video}
	c := Case{Kind: kind, Name: name, Truth: s.truth()}
	c.write = func(ctx context.Context, dir, path string) error {
		var list []string
		for i, size := range sizes {
			part := shot{size: size, first: i * partFrames, frames: partFrames}
			file := fmt.Sprintf("%d.ts", i)
			start := seconds(float64(i*partFrames) / 25)
			args := words(noB + "-g 25 -output_ts_offset " + start)
			if err := ffmpeg(ctx, dir, append(append(part.inputs(), args...), file)...); err != nil {
				return err
			}
			list = append(list, file)
		}
		all := s.inputs()
		sound := all[len(all)-4:]
		args := append([]string{"-i", "concat:" + strings.Join(list, "|")}, sound...)
		return ffmpeg(ctx, dir, append(args, append(words("-map 0:v -map 1:a -c:v copy "+aac), path)...)...)
	}
	return c
}
