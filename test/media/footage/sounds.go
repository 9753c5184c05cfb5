package footage

// sounds are files in which the sound is what is special.
func sounds() []Case {
	thirty := Rate{30, 1}
	a := shot{rate: thirty, frames: 90, hertz: video}
	b := shot{frames: 75, hertz: video}
	c := shot{frames: 75, hertz: cd}
	return []Case{
		encoded("5.1", "surround.mp4", a, noB+"-g 30 -c:a aac -ac 6"),
		encoded("5.1", "surround_ac3.ts", b, noB+"-g 25 -c:a ac3 -ac 6"),
		encoded("opus", "opus.mkv", b, noB+"-g 25 -c:a libopus"),
		encoded("opus", "opus.mp4", a, withB(2)+"-g 30 -c:a libopus"),
		encoded("vorbis", "vorbis.mkv", b, noB+"-g 25 -c:a libvorbis"),
		encoded("vorbis", "vorbis_44.mkv", c, withB(2)+"-g 25 -c:a libvorbis"),
		encoded("pcm", "pcm.mov", a, noB+"-g 30 -c:a pcm_s16le"),
		encoded("pcm", "pcm_24.mkv", c, withB(2)+"-g 25 -c:a pcm_s24le"),
		encoded("flac", "flac.mkv", b, noB+"-g 25 -c:a flac"),
		encoded("flac", "flac.mp4", c, withB(2)+"-g 25 -c:a flac -strict -2"),
		encoded("mp3", "mp3.mp4", c, noB+"-g 25 -c:a libmp3lame"),
		encoded("mp3", "mp3.ts", b, withB(2)+"-g 25 -c:a libmp3lame"),
		encoded("eac3", "eac3.ts", b, noB+"-g 25 -c:a eac3"),
		encoded("eac3", "eac3.mp4", a, withB(2)+"-g 30 -c:a eac3"),
		encoded("sound of another length", "sound_longer.mp4", shot{frames: 50, hertz: video, longer: 1.7}, noB+aac+"-g 25"),
		encoded("sound of another length", "sound_shorter.mp4", shot{frames: 100, hertz: video, longer: -2.2}, noB+aac+"-g 25"),
	}
}
