package footage

import "context"

// damage are files with a picture or a header that makes no sense, which go out all the same.
func damage() []Case {
	thirty := Rate{30, 1}
	without := func(lost int) func(*Case) { return kept(func(n int) bool { return n != lost }) }
	fragments := "-movflags frag_keyframe+empty_moov+default_base_moof"
	return []Case{
		// Of three in decoding order P B B, with pyramids off, a B is needed by none.
		patched("one broken picture", "one_broken_picture.mp4", "a.mp4", shot{size: "320x180", rate: thirty, frames: 120, hertz: video},
			withB(2)+"-x264-params b-pyramid=none:scenecut=0 -g 60 "+aac, breakSample(66), without(65), broken),
		patched("one broken picture", "one_broken_picture_25.mov", "a.mov", shot{frames: 100, hertz: video},
			noB+"-sc_threshold 0 -g 25 "+aac, breakSample(74), without(74), broken),
		patched("duration unknown", "duration_unknown.mp4", "a.mp4", shot{size: "320x180", rate: thirty, frames: 90, hertz: video}, withB(2)+aac+"-g 60 "+fragments, unknownDuration),
		patched("duration unknown", "duration_unknown_25.mp4", "a.mp4", shot{frames: 75, hertz: video}, withB(1)+aac+"-g 25 "+fragments, unknownDuration),
		patched("cut off", "cut_off.ts", "a.ts", shot{frames: 75, hertz: video}, noB+aac+"-g 25", inHalf, func(c *Case) { c.Cut = true }, broken),
		patched("cut off", "cut_off_b.ts", "a.ts", shot{rate: thirty, frames: 90, hertz: video}, withB(2)+aac+"-g 30", inHalf, func(c *Case) { c.Cut = true }, broken),
	}
}

// refused are files that can't be transcoded, at whatever attempt.
func refused() []Case {
	s := shot{frames: 50, hertz: video}
	no := func(kind, name string, write func(ctx context.Context, dir, path string) error) Case {
		return Case{Kind: kind, Name: name, Truth: Truth{Outcome: OutcomeFailed}, write: write}
	}
	byFFmpeg := func(args string) func(ctx context.Context, dir, path string) error {
		return func(ctx context.Context, dir, path string) error {
			return ffmpeg(ctx, dir, append(append(s.inputs(), words(args)...), path)...)
		}
	}
	long := shot{frames: 150, hertz: video} // so that half of it is missed
	of := func(encode, first string, patch func([]byte) ([]byte, error)) func(ctx context.Context, dir, path string) error {
		return func(ctx context.Context, dir, path string) error {
			if err := ffmpeg(ctx, dir, append(append(long.inputs(), words(encode)...), first)...); err != nil {
				return err
			}
			return rewrite(dir+"/"+first, path, patch)
		}
	}
	plain := noB + aac + "-g 25"
	return []Case{
		no("bomb", "bomb.mp4", of("-map 0:v -frames:v 1 "+noB, "a.mp4", bomb(200_000, 25))),
		no("bomb", "bomb_slow.mp4", of("-map 0:v -frames:v 1 "+noB, "a.mp4", bomb(300_000, 1000))),
		no("no media", "empty.mp4", text("")),
		no("no media", "garbage.mp4", text(garbage)),
		no("no media", "garbage.ts", text(garbage)),
		no("no media", "playlist.mp4", text("#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nhttp://127.0.0.1:1/a.ts\n#EXT-X-ENDLIST\n")),
		no("no media", "concat.mp4", text("ffconcat version 1.0\nfile /etc/passwd\n")),
		no("truncated", "truncated.mp4", of(plain, "a.mp4", inHalf)),
		no("truncated", "truncated.mov", of(plain, "a.mov", inHalf)),
		no("truncated", "truncated.mkv", of(plain, "a.mkv", inHalf)), // its header says how long it should be
		no("no video", "audio_only.mp4", byFFmpeg("-map 1:a "+aac)),
		no("no video", "audio_only.ts", byFFmpeg("-map 1:a -c:a mp2")),
		no("encrypted", "encrypted.mp4", byFFmpeg(plain+" -encryption_scheme cenc-aes-ctr -encryption_key 76a6c65c5ea762046bd749a2e632ccbb -encryption_kid a7e61c373e219033c21091fa607bf3b8")),
		no("encrypted", "encrypted.mov", byFFmpeg(noB+"-map 0:v -g 25 -f mp4 -encryption_scheme cenc-aes-ctr -encryption_key 00a6c65c5ea762046bd749a2e632ccbb -encryption_kid a7e61c373e219033c21091fa607bf3b8")),
	}
}
