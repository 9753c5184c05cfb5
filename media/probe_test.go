package media

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// code is the code of an error of this package.
func code(t *testing.T, err error) Code {
	t.Helper()
	var known *Error
	require.ErrorAs(t, err, &known)
	require.NotEmpty(t, known.Text)
	return known.Code
}

func write(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, data, 0o600))
	return path
}

// part is the first part of a file, under a name of its own.
func part(t *testing.T, path, name string, share float64) string {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return write(t, name, data[:int(float64(len(data))*share)])
}

func TestProbe(t *testing.T) {
	t.Parallel()
	tools := &Tools{}

	t.Run("facts", func(t *testing.T) {
		t.Parallel()
		src, err := tools.Probe(t.Context(), sources.make(t, "facts.mp4", join(pictures("320x180", "30000/1001", 4), sound(440, 4),
			words(bs+"-g 60 -c:a aac -ac 2"))...))
		require.NoError(t, err)
		v := src.Video
		require.Equal(t, "h264", v.Codec)
		require.Equal(t, "yuv420p", v.PixFmt)
		require.Equal(t, []int{320, 180, 0}, []int{v.Width, v.Height, v.Rotation})
		require.Equal(t, Rate{Num: 30000, Den: 1001}, v.Rate)
		require.EqualValues(t, 120, v.Frames)
		require.InDelta(t, 120*1001.0/30000*second, src.DurationUS, 2)
		require.False(t, v.Variable)
		require.False(t, v.Interlaced)
		require.Positive(t, v.BitRate)
		require.Equal(t, "aac", src.Audio.Codec)
		require.Equal(t, 2, src.Audio.Channels)
		require.Equal(t, []int{1, 1}, []int{src.VideoTracks, src.AudioTracks})
	})

	t.Run("rotated", func(t *testing.T) {
		t.Parallel()
		src, err := tools.Probe(t.Context(), named(t, "rotated.mp4").make(t))
		require.NoError(t, err)
		require.Equal(t, 90, max(src.Video.Rotation, -src.Video.Rotation))
		require.Equal(t, []int{90, 160, 160, 90}, []int{src.Video.Width, src.Video.Height, src.Video.CodedWidth, src.Video.CodedHeight})
	})

	t.Run("variable rate", func(t *testing.T) {
		t.Parallel()
		src, err := tools.Probe(t.Context(), named(t, "vfr.mp4").make(t))
		require.NoError(t, err)
		require.True(t, src.Video.Variable)
	})

	t.Run("pixels that are not square", func(t *testing.T) {
		t.Parallel()
		for sar, want := range map[string][]int{"64/45": {1024, 576}, "16/15": {768, 576}, "8/9": {720, 648}, "1/1": {720, 576}, "1001/1000": {720, 576}} {
			src, err := tools.Probe(t.Context(), sources.make(t, "sar"+strings.ReplaceAll(sar, "/", "_")+".mp4",
				join(pictures("720x576", "5", 0.2), words(x264+"-vf setsar="+sar))...))
			require.NoError(t, err)
			require.Equal(t, want, []int{src.Video.Width, src.Video.Height}, sar)
		}
	})

	t.Run("sound of the same program", func(t *testing.T) {
		t.Parallel()
		src, err := tools.Probe(t.Context(), sources.make(t, "programs.ts", join(
			pictures(small, "25", 2), sound(440, 2), []string{"-f", "lavfi", "-i", "color=s=160x90:r=25:d=2"}, sound(880, 2),
			words("-map 0 -map 1 -map 2 -map 3 "+x264+"-c:a mp2 -b:a:0 64k -b:a:1 256k -program program_num=1:st=0:st=1 -program program_num=2:st=2:st=3"))...))
		require.NoError(t, err)
		require.Equal(t, []int{2, 2}, []int{src.VideoTracks, src.AudioTracks}, "each once, though ffprobe tells of them twice")
		require.Equal(t, []int{0, 1}, []int{src.Video.Index, src.Audio.Index})
	})

	t.Run("a track that nobody can decode", func(t *testing.T) {
		t.Parallel()
		src, err := tools.Probe(t.Context(), sources.make(t, "keyless.ts", join(
			pictures("64x64", "25", 2), pictures(small, "25", 2),
			words("-map 0 -map 1 "+x264+"-b:v:1 3M -bsf:v:1 noise=drop=key"))...))
		require.NoError(t, err)
		require.Equal(t, 64, src.Video.Width)
	})

	t.Run("the best of several tracks", func(t *testing.T) {
		t.Parallel()
		in := sources.make(t, "tracks.mkv", join(
			pictures("64x64", "10", 2), pictures("320x180", "30", 2), sound(440, 2), sound(880, 2),
			words("-map 0 -map 1 -map 2 -map 3 -c:v libx264 -pix_fmt yuv420p -g 30 -c:a aac -b:a:0 32k -b:a:1 128k"))...)
		src, err := tools.Probe(t.Context(), in)
		require.NoError(t, err)
		require.Equal(t, []int{2, 2}, []int{src.VideoTracks, src.AudioTracks})
		require.Equal(t, 1, src.Video.Index)
		require.Equal(t, 320, src.Video.Width)
		require.Equal(t, 3, src.Audio.Index)
		prep, err := tools.Prepare(t.Context(), src, in, t.TempDir(), Options{})
		require.NoError(t, err)
		require.EqualValues(t, 60, prep.Frames)
	})

	t.Run("wrong extension", func(t *testing.T) {
		t.Parallel()
		src, err := tools.Probe(t.Context(), part(t, shapes()[0].make(t), "really-an-mp4.ts", 1))
		require.NoError(t, err)
		require.EqualValues(t, 180, src.Video.Frames)
	})

	t.Run("cut from a broadcast", func(t *testing.T) {
		t.Parallel()
		data, err := os.ReadFile(sources.make(t, "plain.ts", shapes()[2].args...))
		require.NoError(t, err)
		in := write(t, "cut.ts", data[len(data)/6/tsPacket*tsPacket:])
		src, err := tools.Probe(t.Context(), in)
		require.NoError(t, err)
		require.EqualValues(t, 50, src.Video.Frames, "frames before the first keyframe are nobody's")
		prep, err := tools.Prepare(t.Context(), src, in, t.TempDir(), Options{})
		require.NoError(t, err)
		require.EqualValues(t, 50, prep.Frames)
	})
}

func TestProbeRefuses(t *testing.T) {
	t.Parallel()
	tools := &Tools{}
	plain := func(t *testing.T) string { return shapes()[0].make(t) }
	cases := []struct {
		name string
		path func(t *testing.T) string
		code Code
	}{
		{"garbage", func(t *testing.T) string { return write(t, "x.mp4", []byte("no video at all, whatever the name\n")) }, CodeSourceUnreadable},
		{"empty", func(t *testing.T) string { return write(t, "x.ts", nil) }, CodeSourceUnreadable},
		{"no index", func(t *testing.T) string { return part(t, plain(t), "x.mp4", 0.5) }, CodeSourceUnreadable},
		{"playlist", func(t *testing.T) string {
			return write(t, "x.mp4", []byte("#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXTINF:6,\nfile:"+shapes()[2].make(t)+"\n#EXT-X-ENDLIST\n"))
		}, CodeSourceUnreadable},
		{"concat script", func(t *testing.T) string {
			return write(t, "x.mp4", []byte("ffconcat version 1.0\nfile '"+shapes()[2].make(t)+"'\n"))
		}, CodeSourceUnreadable},
		{"audio only", func(t *testing.T) string {
			return sources.make(t, "audio.mp4", join(sound(440, 1), words("-c:a aac"))...)
		}, CodeSourceNoVideo},
		{"cover art only", func(t *testing.T) string {
			return sources.make(t, "cover.mp4", join(sound(440, 1), pictures("64x64", "1", 1),
				words("-map 0 -map 1 -c:a aac -c:v mjpeg -frames:v 1 -disposition:v attached_pic"))...)
		}, CodeSourceNoVideo},
		{"a codec that nobody knows", func(t *testing.T) string {
			data, err := os.ReadFile(plain(t))
			require.NoError(t, err)
			return write(t, "x.mp4", bytes.ReplaceAll(bytes.ReplaceAll(data, []byte("avc1"), []byte("qqq1")), []byte("avcC"), []byte("qqqC")))
		}, CodeSourceUnsupportedCodec},
		{"a picture of gigabytes", func(t *testing.T) string {
			return sources.make(t, "huge.mkv", join(pictures("9000x4800", "1", 1), words("-c:v mjpeg -frames:v 1"))...)
		}, CodeSourcePictureTooLarge},
		{"truncated mp4", func(t *testing.T) string {
			return part(t, sources.make(t, "front.mp4", "-i", plain(t), "-c", "copy", "-movflags", "faststart"), "x.mp4", 0.5)
		}, CodeSourceTruncated},
		{"truncated mkv", func(t *testing.T) string {
			return part(t, sources.make(t, "whole.mkv", "-i", plain(t), "-c", "copy"), "x.mkv", 0.5)
		}, CodeSourceTruncated},
		{"encrypted", func(t *testing.T) string {
			return sources.make(t, "encrypted.mp4", join(pictures(small, "30", 2), words(bs+"-g 30 -encryption_scheme cenc-aes-ctr "+
				"-encryption_key 00112233445566778899aabbccddeeff -encryption_kid ffeeddccbbaa99887766554433221100"))...)
		}, CodeSourceEncrypted},
		{"broken pictures", func(t *testing.T) string {
			data, err := os.ReadFile(shapes()[1].make(t))
			require.NoError(t, err)
			head := bytes.Index(data, []byte("mdat")) + 4
			tail := bytes.LastIndex(data, []byte("moov")) - 4
			for i := head; i < tail; i++ {
				data[i] = 0xff
			}
			return write(t, "x.mp4", data)
		}, CodeSourceUndecodable},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := tools.Probe(t.Context(), c.path(t))
			require.Equal(t, c.code, code(t, err), "%v", err)
		})
	}
}

// What is wrong with the machine is never called the source's fault.
func TestMachineFaults(t *testing.T) {
	t.Parallel()
	in := shapes()[0].make(t)
	tools := &Tools{}
	src, err := tools.Probe(t.Context(), in)
	require.NoError(t, err)

	full := func(t *testing.T, name string) string { // /dev/full is a disk without room
		dir := t.TempDir()
		require.NoError(t, os.Symlink("/dev/full", filepath.Join(dir, name+".part")))
		return dir
	}
	script := func(t *testing.T, body string) string {
		path := filepath.Join(t.TempDir(), "tool")
		require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\n"+body+"\n"), 0o700))
		return path
	}

	t.Run("missing file", func(t *testing.T) {
		t.Parallel()
		_, err := tools.Probe(t.Context(), filepath.Join(t.TempDir(), "gone.mp4"))
		require.Equal(t, CodeSpoolUnreadable, code(t, err))
		require.ErrorIs(t, err, fs.ErrNotExist)
	})
	t.Run("missing tool", func(t *testing.T) {
		t.Parallel()
		nowhere := &Tools{FFmpeg: "/nowhere/ffmpeg", FFprobe: "/nowhere/ffprobe"}
		_, err := nowhere.Probe(t.Context(), in)
		require.Equal(t, CodeToolMissing, code(t, err))
		require.Contains(t, err.Error(), "apt-get install ffmpeg")
		require.Equal(t, CodeToolMissing, code(t, nowhere.Check()))
		require.NoError(t, tools.Check())
	})
	t.Run("killed tool", func(t *testing.T) {
		t.Parallel()
		_, err := (&Tools{FFmpeg: script(t, "kill -9 $$")}).Prepare(t.Context(), src, in, t.TempDir(), Options{})
		require.Equal(t, CodeToolKilled, code(t, err))
	})
	t.Run("full disk", func(t *testing.T) {
		t.Parallel()
		dir := full(t, preparedName)
		_, err := tools.Prepare(t.Context(), src, in, dir, Options{})
		require.Equal(t, CodeSpoolFull, code(t, err))
		require.ErrorIs(t, err, syscall.ENOSPC)
		left, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Empty(t, left)
	})
	t.Run("full disk at the end", func(t *testing.T) {
		t.Parallel()
		prep, err := tools.Prepare(t.Context(), src, in, t.TempDir(), Options{})
		require.NoError(t, err)
		_, err = tools.Finish(t.Context(), Pushed{Path: prep.Path, From: in, Source: src, Prepared: prep}, filepath.Join(full(t, "out.ts"), "out.ts"))
		require.Equal(t, CodeSpoolFull, code(t, err))
	})
	t.Run("no words without end", func(t *testing.T) {
		t.Parallel()
		noisy := script(t, "head -c 3000000 /dev/zero | tr '\\0' x >&2; exit 3")
		_, err := (&Tools{FFmpeg: noisy}).Prepare(t.Context(), src, in, t.TempDir(), Options{})
		require.Equal(t, CodePrepareFailed, code(t, err))
		require.Less(t, len(err.Error()), 2*stderrTail)
	})
	t.Run("no secrets in the children", func(t *testing.T) {
		t.Parallel()
		for _, pair := range environment() {
			require.Regexp(t, "^(LC_ALL|PATH|LD_LIBRARY_PATH)=", pair)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		t.Parallel()
		fifo := filepath.Join(t.TempDir(), "x.mp4") // nobody ever writes to it, so ffprobe waits
		require.NoError(t, syscall.Mkfifo(fifo, 0o600))
		const soon = 100 * time.Millisecond
		ctx, cancel := context.WithTimeout(t.Context(), soon)
		defer cancel()
		_, err := tools.Probe(ctx, fifo)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		var known *Error
		require.NotErrorAs(t, err, &known)
	})
}

// docs/sources.md names every code that a source can be refused with.
func TestRefusalsAreDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/sources.md")
	require.NoError(t, err)
	for _, code := range Codes() {
		if strings.HasPrefix(string(code), "source_") {
			require.Contains(t, string(text), "`"+string(code)+"`")
		}
	}
}
