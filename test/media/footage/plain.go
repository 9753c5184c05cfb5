package footage

// plain are files with nothing special, in every container, at every usual rate.
func plain() []Case {
	wide := "320x180"
	return []Case{
		encoded("plain", "plain_30.mp4", shot{size: wide, rate: Rate{30, 1}, frames: 120, hertz: video}, withB(2)+aac+"-g 60", fps(15)),
		encoded("plain", "plain_25.mov", shot{size: wide, frames: 75, hertz: cd}, withB(3)+aac+"-g 50"),
		encoded("plain", "plain_24.ts", shot{size: wide, rate: Rate{24, 1}, frames: 84, hertz: video}, withB(1)+aac+"-g 48"),
		encoded("plain", "plain_50.ts", shot{size: wide, rate: Rate{50, 1}, frames: 150, hertz: video}, withB(0)+"-c:a mp2 -g 100"),
		encoded("rate", "film_23976.mp4", shot{rate: Rate{24000, 1001}, frames: 90, hertz: video}, withB(3)+aac+"-g 24", fps(30)),
		encoded("rate", "ntsc_2997.mp4", shot{rate: Rate{30000, 1001}, frames: 120, hertz: video}, noB+aac+"-g 60"),
		encoded("rate", "ntsc_2997.ts", shot{rate: Rate{30000, 1001}, frames: 100, hertz: video}, withB(2)+aac+"-g 30"),
		encoded("rate", "ntsc_5994.mp4", shot{rate: Rate{60000, 1001}, frames: 150, hertz: video}, withB(2)+aac+"-g 120", fps(30)),
		encoded("rate", "half_pal_12_5.mp4", shot{rate: Rate{25, 2}, frames: 50, hertz: video}, noB+aac+"-g 25"),
		encoded("rate", "fast_120.mp4", shot{rate: Rate{120, 1}, frames: 240, hertz: video}, noB+aac+"-g 120", fps(30)),
		encoded("rate", "fast_240.mp4", shot{rate: Rate{240, 1}, frames: 360, hertz: video}, withB(2)+aac+"-g 240"),
		encoded("timelapse", "timelapse_1.mp4", shot{rate: Rate{1, 1}, frames: 12, hertz: video}, noB+aac+"-g 4"),
		encoded("timelapse", "timelapse_half.mp4", shot{rate: Rate{1, 2}, frames: 7}, noB+"-g 2"),
		encoded("short", "one_frame.mp4", shot{frames: 1, hertz: video, longer: 0.3}, noB+aac),
		encoded("short", "one_frame.ts", shot{frames: 1}, noB),
		encoded("short", "one_gop.mp4", shot{rate: Rate{30, 1}, frames: 30, hertz: video}, withB(2)+aac+"-g 300"),
		encoded("short", "two_frames.mp4", shot{rate: Rate{30, 1}, frames: 2, hertz: video, longer: 0.3}, withB(2)+aac),
		encoded("matroska", "bframes.mkv", shot{frames: 75, hertz: video}, withB(2)+aac+"-g 25"),
		encoded("matroska", "bframes_2997.mkv", shot{rate: Rate{30000, 1001}, frames: 90, hertz: video}, withB(3)+aac+"-g 60"),
		encoded("flv", "stream.flv", shot{rate: Rate{30, 1}, frames: 90, hertz: cd}, withB(2)+aac+"-g 60"),
		encoded("flv", "stream_25.flv", shot{frames: 75, hertz: cd}, noB+"-c:a libmp3lame -g 50"),
		encoded("fragmented", "fragmented.mp4", shot{rate: Rate{30, 1}, frames: 90, hertz: video}, withB(2)+aac+"-g 30 -movflags frag_keyframe+empty_moov+default_base_moof"),
		encoded("fragmented", "fragmented_cmaf.mp4", shot{frames: 75, hertz: video}, withB(2)+aac+"-g 50 -movflags +cmaf+frag_keyframe+empty_moov"),
	}
}
