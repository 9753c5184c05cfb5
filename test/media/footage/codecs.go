package footage

// codecs are files that not every transcoder takes as they are.
func codecs() []Case {
	thirty := Rate{30, 1}
	a := shot{rate: thirty, frames: 75, hertz: video}
	b := shot{frames: 60, hertz: video}
	hevc := func(params string) string {
		return "-c:v libx265 -preset ultrafast -pix_fmt yuv420p -tag:v hvc1 -x265-params log-level=error:" + params + " "
	}
	hevc10 := func(params string) string {
		return "-c:v libx265 -preset ultrafast -pix_fmt yuv420p10le -tag:v hvc1 -x265-params log-level=error:" + params + " "
	}
	fields := func(s shot, filter string) shot { s.perFrame, s.filter = 2, filter; return s }
	// `interlace` keeps the shape of a frame; its numbers are counted for pairs of pictures.
	tff, bff := "interlace=scan=tff", "interlace=scan=bff"
	return []Case{
		encoded("hevc", "hevc_1s.mp4", shot{rate: thirty, frames: 30}, hevc("bframes=0:keyint=300")),
		encoded("hevc", "hevc_2s.mp4", shot{rate: thirty, frames: 60, hertz: video}, hevc("bframes=0:keyint=300")+aac),
		encoded("hevc", "hevc_6s.mp4", shot{rate: thirty, frames: 180, hertz: video}, hevc("bframes=3:keyint=300")+aac),
		encoded("hevc", "hevc.ts", b, "-c:v libx265 -preset ultrafast -pix_fmt yuv420p -x265-params log-level=error:bframes=2:keyint=50 "+aac),
		encoded("hevc without timing", "hevc_phone.mp4", shot{rate: thirty, frames: 90, hertz: video}, hevc("no-vui-timing-info=1:keyint=30")+aac),
		encoded("hevc without timing", "hevc_phone_24.mov", shot{rate: Rate{24, 1}, frames: 72, hertz: video}, hevc("no-vui-timing-info=1:keyint=48:bframes=0")+aac),
		encoded("mpeg2", "mpeg2.ts", b, "-c:v mpeg2video -g 12 -bf 0 -q:v 4 -c:a mp2"),
		encoded("mpeg2", "mpeg2_bframes.ts", shot{rate: Rate{30000, 1001}, frames: 75, hertz: video}, "-c:v mpeg2video -g 15 -bf 2 -q:v 4 -c:a mp2"),
		encoded("vp9", "vp9.webm", b, "-c:v libvpx-vp9 -cpu-used 8 -deadline realtime -c:a libopus -g 50"),
		encoded("vp9", "vp9.mp4", a, "-c:v libvpx-vp9 -cpu-used 8 -deadline realtime -g 60 "+aac),
		encoded("vp8", "vp8.webm", b, "-c:v libvpx -cpu-used 8 -deadline realtime -c:a libvorbis -g 50"),
		encoded("vp8", "vp8_30.mkv", a, "-c:v libvpx -cpu-used 8 -deadline realtime -g 30 "+aac),
		encoded("av1", "av1.mp4", b, "-c:v libsvtav1 -preset 12 -g 50 "+aac),
		encoded("av1", "av1.webm", a, "-c:v libsvtav1 -preset 12 -g 60 -c:a libopus"),
		encoded("prores", "prores.mov", shot{frames: 50, hertz: video}, "-c:v prores_ks -profile:v 2 -c:a pcm_s16le"),
		encoded("prores", "prores_ntsc.mov", shot{size: "320x180", rate: Rate{30000, 1001}, frames: 60, hertz: video}, "-c:v prores -c:a pcm_s24le"),
		encoded("mpeg4", "mpeg4.avi", shot{frames: 50}, "-c:v mpeg4 -q:v 5"),
		encoded("mpeg4", "mpeg4_bframes.avi", b, "-c:v mpeg4 -q:v 4 -bf 2 -g 50 -c:a libmp3lame"),
		encoded("mjpeg", "mjpeg.avi", b, "-c:v mjpeg -q:v 4 -c:a pcm_s16le"),
		encoded("mjpeg", "mjpeg.mov", a, "-c:v mjpeg -q:v 4 -c:a pcm_s16le"),
		encoded("10 bit", "h264_10bit.mp4", b, "-c:v libx264 -preset ultrafast -pix_fmt yuv420p10le -g 50 "+aac),
		encoded("10 bit", "h264_10bit_b.mkv", a, "-c:v libx264 -preset veryfast -bf 2 -pix_fmt yuv420p10le -g 60 "+aac),
		encoded("10 bit", "hevc_10bit.mp4", b, hevc10("keyint=50:bframes=2")+aac),
		encoded("colour", "h264_422.mp4", b, "-c:v libx264 -preset ultrafast -pix_fmt yuv422p -g 50 "+aac),
		encoded("colour", "h264_444.mp4", a, "-c:v libx264 -preset ultrafast -pix_fmt yuv444p -g 60 "+aac),
		encoded("hdr", "hdr_pq.mp4", b, hevc10("keyint=50")+"-color_primaries bt2020 -color_trc smpte2084 -colorspace bt2020nc "+aac),
		encoded("hdr", "hdr_hlg.mov", a, hevc10("keyint=60")+"-color_primaries bt2020 -color_trc arib-std-b67 -colorspace bt2020nc "+aac),
		encoded("interlaced", "interlaced_tff.mp4", fields(b, tff), noB+"-flags +ilme+ildct -x264opts tff=1 -g 50 "+aac),
		encoded("interlaced", "interlaced_bff.mp4", fields(a, bff), withB(2)+"-flags +ilme+ildct -x264opts bff=1 -g 60 "+aac),
		encoded("interlaced", "interlaced_mpeg2.ts", fields(b, tff), "-c:v mpeg2video -flags +ilme+ildct -q:v 4 -bf 2 -g 12 -c:a mp2"),
		encoded("open GOP", "open_gop.ts", shot{frames: 100, hertz: video}, withB(2)+"-x264-params open-gop=1:keyint=25:scenecut=0 "+aac),
		encoded("open GOP", "open_gop.mp4", shot{rate: thirty, frames: 120, hertz: video}, withB(3)+"-x264-params open-gop=1:keyint=40:scenecut=0 "+aac),
		encoded("open GOP", "open_gop_hevc.mp4", a, hevc("open-gop=1:keyint=25:bframes=3")+aac),
		encoded("intra refresh", "intra_refresh.mp4", shot{rate: thirty, frames: 150}, noB+"-x264-params intra-refresh=1:keyint=30:bframes=0"),
		encoded("intra refresh", "intra_refresh_25.ts", shot{frames: 100, hertz: video}, noB+"-x264-params intra-refresh=1:keyint=50:bframes=0 "+aac),
		encoded("sparse keys", "sparse_keys.mp4", shot{rate: Rate{10, 1}, frames: 250, hertz: video}, noB+"-g 250 -keyint_min 250 -sc_threshold 0 "+aac),
		encoded("sparse keys", "sparse_keys_12s.mkv", shot{rate: Rate{10, 1}, frames: 240, hertz: video}, withB(2)+"-g 120 -keyint_min 120 -sc_threshold 0 "+aac),
		encoded("dense keys", "all_keys.mp4", a, noB+"-g 1 "+aac),
		encoded("dense keys", "dense_keys.ts", b, withB(2)+"-g 6 "+aac),
	}
}
