package footage

import "context"

// timestamps are files that count their time in odd ways.
func timestamps() []Case {
	thirty := Rate{30, 1}
	return []Case{
		patched("no PTS", "pes_without_pts.ts", "a.ts", shot{rate: thirty, frames: 120}, noB+"-g 60", withoutPTS(10), broken),
		patched("no PTS", "pes_without_pts_7.ts", "a.ts", shot{frames: 100, hertz: video}, noB+aac+"-g 50", withoutPTS(7), broken),
		patched("no PTS", "pes_without_pts_bframes.ts", "a.ts", shot{rate: thirty, frames: 150, hertz: video}, withB(2)+aac+"-g 60", withoutPTS(10), broken),
		patched("no PTS", "pes_without_pts_bframes_13.ts", "a.ts", shot{frames: 100, hertz: video}, withB(3)+aac+"-g 50", withoutPTS(13), broken),
		copied("PTS and DTS drift", "pts_dts_drift.ts", "a.ts", shot{rate: thirty, frames: 180, hertz: video}, noB+aac+"-g 30",
			"-copyts -i a.ts -c copy -copyts -bsf:v setts=pts=PTS:dts='PTS-min(N/120,1)*0.1/TB' -f mpegts"),
		copied("PTS and DTS drift", "pts_dts_drift_25.ts", "a.ts", shot{frames: 100, hertz: video}, noB+aac+"-g 25",
			"-copyts -i a.ts -c copy -copyts -bsf:v setts=pts=PTS:dts='PTS-0.2/TB+min(N/90,1)*0.2/TB' -f mpegts"),
		encoded("clock wraps", "wrap.ts", shot{rate: thirty, frames: 120, hertz: video}, withB(2)+aac+"-g 30 -output_ts_offset 95440", broken),
		encoded("clock wraps", "wrap_25.ts", shot{frames: 100, hertz: video}, noB+"-c:a mp2 -g 25 -output_ts_offset 95441", broken),
		encoded("starts far from 0", "far_3600.ts", shot{rate: thirty, frames: 90, hertz: video}, withB(2)+aac+"-g 30 -output_ts_offset 3600"),
		encoded("starts far from 0", "far_80000.ts", shot{frames: 75, hertz: video}, noB+aac+"-g 25 -output_ts_offset 80000"),
		apart("picture late", "picture_3s_late.mp4", 3, 0, shot{rate: thirty, frames: 90, hertz: video, longer: 3}, withB(2)+aac+"-g 30"),
		apart("picture late", "picture_5s_late.mkv", 5.2, 0, shot{frames: 75, hertz: video, longer: 5}, noB+aac+"-g 50"),
		apart("sound late", "sound_2s_late.mp4", 0, 2.25, shot{rate: thirty, frames: 150, hertz: video, longer: -2}, withB(2)+aac+"-g 60"),
		apart("sound late", "sound_1s_late.ts", 0, 1.3, shot{frames: 100, hertz: video, longer: -1}, noB+aac+"-g 50"),
	}
}

// apart has its picture and its sound begin at different times.
func apart(kind, name string, picture, sound float64, s shot, args string) Case {
	c := encoded(kind, name, s, args, late(sound-picture))
	c.write = func(ctx context.Context, dir, path string) error {
		if err := ffmpeg(ctx, dir, append(append(s.inputs(), words(args)...), "whole.mkv")...); err != nil {
			return err
		}
		return ffmpeg(ctx, dir, "-itsoffset", seconds(picture), "-i", "whole.mkv", "-itsoffset", seconds(sound), "-i", "whole.mkv",
			"-map", "0:v", "-map", "1:a", "-c", "copy", path)
	}
	return c
}
