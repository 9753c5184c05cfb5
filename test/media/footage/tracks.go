package footage

import "context"

// tracks are files with more in them than one picture and one sound.
func tracks() []Case {
	thirty := Rate{30, 1}
	main := shot{frames: 75, hertz: video}
	return []Case{
		programs("two programs", "two_programs.ts", main, "-b:a:0 64k -b:a:1 256k -c:a mp2", true),
		programs("two programs", "two_programs_second.ts", shot{rate: thirty, frames: 90, hertz: video}, "-b:a:0 256k -b:a:1 64k -c:a mp2", false),
		beside("broken video beside", "second_video_broken.ts", shot{size: "400x300", frames: 75, hertz: video}, "-map 0:v -map 1:v -map 0:a -bsf:v:1 noise=drop='key'"),
		beside("broken video beside", "first_video_broken.ts", shot{frames: 75, hertz: video}, "-map 1:v -map 0:v -map 0:a -bsf:v:0 noise=drop='key'"),
		unknownBeside("unknown audio beside", "audio_unknown_beside_aac.mp4", shot{size: "320x180", rate: thirty, frames: 90, hertz: video}, withB(2), true),
		unknownBeside("unknown audio beside", "audio_unknown_last.mov", shot{frames: 75, hertz: video}, noB, false),
		encoded("no sound", "silent.mp4", shot{rate: thirty, frames: 90}, withB(2)+"-g 30"),
		encoded("no sound", "silent.mkv", shot{frames: 75}, noB+"-g 50"),
		beside("cover picture", "cover.mp4", shot{frames: 75, hertz: video}, "-map 0:v -map 0:a -map 1:v -c:v:1 mjpeg -frames:v:1 1 -disposition:v:1 attached_pic"),
		attached("cover picture", "cover.mkv", shot{rate: thirty, frames: 75, hertz: video}),
	}
}

// other is a picture and a sound that belong to somebody else: no numbers, one pitch.
const other = "-f lavfi -i smptebars=s=160x120:r=25:d=3 -f lavfi -i sine=f=2950:r=48000:d=3"

// programs has a second program, with a sound of its own.
func programs(kind, name string, s shot, sound string, ours bool) Case {
	c := encoded(kind, name, s, "")
	c.write = func(ctx context.Context, dir, path string) error {
		args := append(s.inputs(), words(other+" "+noB+"-g 25 -map 0 -map 1 -map 2 -map 3 "+sound)...)
		if !ours {
			args = append(s.inputs(), words(other+" "+noB+"-g 25 -map 2 -map 3 -map 0 -map 1 "+sound)...)
		}
		return ffmpeg(ctx, dir, append(args, append(words("-program program_num=1:st=0:st=1 -program program_num=2:st=2:st=3"), path)...)...)
	}
	if !ours {
		c.Stream, c.Listen = "v:1", "a:1"
	}
	return c
}

// beside has a second, smaller picture.
func beside(kind, name string, s shot, args string) Case {
	c := encoded(kind, name, s, "")
	c.write = func(ctx context.Context, dir, path string) error {
		if err := ffmpeg(ctx, dir, append(append(s.inputs(), words(noB+aac+"-g 25")...), "a.mkv")...); err != nil {
			return err
		}
		if err := ffmpeg(ctx, dir, words("-f lavfi -i testsrc2=s=160x120:r=25:d=3 "+noB+"-g 25 b.mkv")...); err != nil {
			return err
		}
		return ffmpeg(ctx, dir, append(words("-i a.mkv -i b.mkv -c copy "+args), path)...)
	}
	if words(args)[1] == "1:v" {
		c.Stream = "v:1"
	}
	return c
}

// attached has a picture as an attachment.
func attached(kind, name string, s shot) Case {
	c := encoded(kind, name, s, "")
	c.write = func(ctx context.Context, dir, path string) error {
		if err := ffmpeg(ctx, dir, words("-f lavfi -i testsrc2=s=400x400:r=25:d=1 -frames:v 1 cover.jpg")...); err != nil {
			return err
		}
		return ffmpeg(ctx, dir, append(append(s.inputs(), words(noB+aac+"-g 30 -attach cover.jpg -metadata:s:t mimetype=image/jpeg")...), path)...)
	}
	return c
}

// unknownBeside has two AAC tracks, one of which is made one of a codec that nobody knows.
func unknownBeside(kind, name string, s shot, encode string, first bool) Case {
	c := encoded(kind, name, s, "")
	c.write = func(ctx context.Context, dir, path string) error {
		maps := "-map 0:v -map 1:a -map 2:a "
		if first {
			maps = "-map 0:v -map 2:a -map 1:a "
		}
		in := append(s.inputs(), words("-f lavfi -i sine=f=2950:r=48000:d=3")...)
		if err := ffmpeg(ctx, dir, append(in, words(encode+"-c:a aac -g 30 "+maps+"a.mp4")...)...); err != nil {
			return err
		}
		which := 1
		if first {
			which = 0
		}
		return rewrite(dir+"/a.mp4", path, unknownAudio(which))
	}
	c.Listen = "a:0"
	if first {
		c.Listen = "a:1"
	}
	return c
}
