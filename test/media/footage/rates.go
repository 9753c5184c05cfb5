package footage

// rates are files whose frames do not come evenly, or whose headers say something else.
func rates() []Case {
	thirty := Rate{30, 1}
	vfr := aac + "-fps_mode vfr -enc_time_base -1 "
	return []Case{
		encoded("still", "screen_recording.mp4", shot{rate: thirty, frames: 420, hertz: video, filter: "select='lt(t,2)+not(mod(n,60))'"},
			noB+vfr+"-g 60", kept(func(n int) bool { return n < 60 || n%60 == 0 })),
		encoded("still", "screen_recording_b.mp4", shot{rate: thirty, frames: 360, hertz: video, filter: "select='gt(t,8)+not(mod(n,90))'"},
			withB(2)+vfr+"-g 40", kept(func(n int) bool { return n > 240 || n%90 == 0 }), fps(15)),
		encoded("two rates", "rates_30_60.mp4", shot{rate: Rate{60, 1}, frames: 360, hertz: video, filter: "select='if(lt(mod(t,2),1),1,not(mod(n,2)))'"},
			noB+vfr+"-g 90", kept(func(n int) bool { return n%120 < 60 || n%2 == 0 })),
		encoded("two rates", "rates_12_25.mkv", shot{frames: 100, hertz: video, filter: "select='if(lt(mod(t,2),1),not(mod(n,2)),1)'"},
			withB(2)+vfr+"-g 50", kept(func(n int) bool { return n%50 >= 25 || n%2 == 0 })),
		encoded("two rates", "telecine.mp4", shot{rate: Rate{30000, 1001}, frames: 120, hertz: video, filter: "select='mod(n+1,5)'"},
			withB(1)+vfr+"-g 48", kept(func(n int) bool { return n%5 != 4 })),
		encoded("hiccup", "hiccup_0_4.mp4", shot{rate: thirty, frames: 150, hertz: video, longer: 0.4, filter: "setpts='PTS+gte(N,70)*0.4/TB'"},
			noB+vfr+"-g 60", step(70, 0.4), silentSteps),
		encoded("hiccup", "hiccup_1_2.mov", shot{frames: 100, hertz: video, longer: 1.2, filter: "setpts='PTS+gte(N,33)*1.2/TB'"},
			withB(2)+vfr+"-g 25", step(33, 1.2), silentSteps),
		encoded("wrong rate", "rate_in_vui_600.mp4", shot{rate: thirty, frames: 90}, withB(2)+"-g 60 -bsf:v h264_metadata=tick_rate=1200/1"),
		encoded("wrong rate", "rate_in_vui_12.mp4", shot{frames: 75, hertz: video}, noB+aac+"-g 50 -bsf:v h264_metadata=tick_rate=25/1"),
		encoded("wrong rate", "rate_in_vui_90000.ts", shot{frames: 75, hertz: video}, noB+aac+"-g 50 -bsf:v h264_metadata=tick_rate=180000/1"),
	}
}

// silentSteps: the sound runs on through the step, so what is heard belongs to file time.
func silentSteps(c *Case) { c.Sound.Through = true }
