package media

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// A file that grows is decoded up to its end, and what is found holds of the finished file.
func TestFollow(t *testing.T) {
	t.Parallel()
	tools := &Tools{}
	in := shapes()[1].make(t)
	src, prep := prepared(t, shapes()[1], Options{})
	all := allPictures(t, prep.Path)[:prep.Frames] // a push stops before the padding
	garbled := slices.Clone(all)
	for i := 60; i < 90; i++ {
		garbled[i].data = slices.Clone(garbled[i].data)
		for j := len(garbled[i].data) / 2; j < len(garbled[i].data); j++ {
			garbled[i].data[j] = 0xff
		}
	}
	want := Want{Width: 160, Height: 90, Source: src, Prepared: prep}
	cases := []struct {
		name string
		// written is what the push writes in two pieces, the second behind the first.
		written []picture
		// between happens to the file when the first piece is read.
		between func(t *testing.T, path string)
		// left is what is there in the end; nil: what was written.
		left  []picture
		holds bool // there is evidence, and it is of what was left
		codes []string
	}{
		{name: "whole", written: all, holds: true},
		{name: "one frame short", written: all[:179], holds: true, codes: []string{ProblemFramesMissing}},
		{name: "a garbled second", written: garbled, codes: []string{ProblemUnplayable}},
		{name: "without its first keyframe", written: all[1:], codes: []string{ProblemAudioMoved, ProblemFramesMissing}},
		{name: "without a keyframe", written: slices.Delete(slices.Clone(all), 60, 61), codes: []string{ProblemFramesMissing}},
		{name: "garbled once it was read", written: all, left: garbled, codes: []string{ProblemUnplayable}},
		{name: "replaced", written: all, left: slices.Concat(all[:90], all[91:]), codes: []string{ProblemFramesMissing}},
		{name: "truncated", written: all, left: all[:60], codes: []string{ProblemFramesMissing}},
		{name: "written anew under the reader", written: all, between: func(t *testing.T, path string) {
			t.Helper()
			require.NoError(t, os.Truncate(path, 0))
		}, left: all},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "pushed.ts")
			data := muxed(t, c.written)
			half := len(data) / 2 / tsPacket * tsPacket
			require.NoError(t, os.WriteFile(path, data[:half], 0o600))
			pushed := Pushed{Path: path, From: in, Source: src, Prepared: prep}
			following := tools.Follow(t.Context(), pushed, filepath.Join(t.TempDir(), "followed.ts"))
			defer following.Stop()
			if c.between != nil {
				c.between(t, path)
			}
			file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
			require.NoError(t, err)
			_, err = file.Write(data[half:])
			require.NoError(t, err)
			require.NoError(t, file.Close())
			following.Over()
			decoded := following.Decoded(t.Context())

			if c.left != nil {
				require.NoError(t, os.WriteFile(path, muxed(t, c.left), 0o600))
			}
			out := filepath.Join(t.TempDir(), "out.ts")
			_, err = tools.Finish(t.Context(), pushed, out)
			require.NoError(t, err)
			holds, err := decoded.holdsOf(t.Context(), out)
			require.NoError(t, err)
			require.Equal(t, c.holds, holds)

			// With the evidence the verdict is as without.
			with := want
			with.Followed = following
			verdict, err := tools.Judge(t.Context(), out, with)
			require.NoError(t, err)
			var codes []string
			for _, p := range verdict.Problems {
				codes = append(codes, p.Code)
			}
			slices.Sort(codes)
			require.Equal(t, c.codes, codes, "%+v", verdict.Problems)
			alone, err := tools.Judge(t.Context(), out, want)
			require.NoError(t, err)
			require.Equal(t, alone.Problems, verdict.Problems)
		})
	}
}

// Where there is evidence that holds, nothing is decoded or listed again: a file whose pictures do
// not decode is as good as what was found of them. The test would fail if Judge did not use it.
func TestJudgeTakesWhatWasFound(t *testing.T) {
	t.Parallel()
	src, prep := prepared(t, shapes()[1], Options{})
	out := filepath.Join(t.TempDir(), "out.ts")
	tools := &Tools{}
	listed, err := tools.Finish(t.Context(), Pushed{Path: prep.Path, From: shapes()[1].make(t), Source: src, Prepared: prep}, out)
	require.NoError(t, err)
	sum := newCodedSum()
	for _, p := range allPictures(t, out) {
		require.NoError(t, sum.add(p))
	}
	mute := &Tools{FFmpeg: "false"} // the listing is ffprobe's
	want := Want{Width: 160, Height: 90, Source: src, Prepared: prep}
	done := make(chan struct{})
	close(done)
	want.Followed = &Following{done: done, decoded: sum.decoded()}
	verdict, err := mute.Judge(t.Context(), out, want)
	require.NoError(t, err)
	require.Empty(t, verdict.Problems)
	require.Equal(t, prep.Frames, verdict.Decoded)

	blind := &Tools{FFmpeg: "false", FFprobe: "false"}
	want.Listed = listed
	again, err := blind.Judge(t.Context(), out, want)
	require.NoError(t, err)
	require.Equal(t, verdict, again)
	for what, other := range map[string]*Listed{
		"another length": {bytes: listed.bytes + 1, crc: listed.crc, listing: listed.listing, coded: listed.coded},
		"other bytes":    {bytes: listed.bytes, crc: listed.crc + 1, listing: listed.listing, coded: listed.coded},
	} {
		want.Listed = other
		again, err = blind.Judge(t.Context(), out, want)
		require.NoError(t, err, what)
		require.False(t, again.OK, what)
	}
	// What decoded are other pictures than are in the file: all of it is decoded.
	want.Listed, want.Followed = listed, &Following{done: done, decoded: newCodedSum().decoded()}
	again, err = blind.Judge(t.Context(), out, want)
	require.NoError(t, err)
	require.False(t, again.OK)

	want.Followed, want.Listed = nil, listed
	verdict, err = mute.Judge(t.Context(), out, want)
	require.NoError(t, err)
	require.False(t, verdict.OK)
}

// A listing that ffprobe ends early is none, and keeps nobody waiting.
func TestFinishWithoutAListing(t *testing.T) {
	t.Parallel()
	src, prep := prepared(t, shapes()[1], Options{})
	out := filepath.Join(t.TempDir(), "out.ts")
	in := shapes()[1].make(t)
	tools := &Tools{}
	_, err := tools.Finish(t.Context(), Pushed{Path: prep.Path, From: in, Source: src, Prepared: prep}, out)
	require.NoError(t, err)
	for _, program := range []string{"false", "true", "/nowhere"} {
		blind := &Tools{FFprobe: program}
		again := filepath.Join(t.TempDir(), "again.ts")
		listed, err := blind.Finish(t.Context(), Pushed{Path: prep.Path, From: in, Source: src, Prepared: prep}, again)
		require.NoError(t, err, program)
		if program != "true" { // which says nothing, and Judge sees no video then
			require.Nil(t, listed)
		}
		want, err := os.ReadFile(out)
		require.NoError(t, err)
		got, err := os.ReadFile(again)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

// Some end without evidence: nobody says that the file is whole, or there is none.
func TestFollowEnds(t *testing.T) {
	t.Parallel()
	tools := &Tools{}
	_, prep := prepared(t, shapes()[1], Options{})
	ctx, cancel := context.WithCancel(t.Context())
	for name, c := range map[string]struct {
		ctx   context.Context
		path  string
		tools *Tools
		end   func(*Following)
	}{
		"its context":       {ctx, prep.Path, tools, func(*Following) { cancel() }},
		"a stop":            {t.Context(), prep.Path, tools, (*Following).Stop},
		"no file":           {t.Context(), filepath.Join(t.TempDir(), "gone.ts"), tools, func(*Following) {}},
		"a tool that fails": {t.Context(), prep.Path, &Tools{FFmpeg: "false"}, func(*Following) {}},
		"no video":          {t.Context(), write(t, "x.ts", []byte("no video")), tools, (*Following).Over},
	} {
		t.Run(name, func(t *testing.T) {
			following := c.tools.Follow(c.ctx, Pushed{Path: c.path}, filepath.Join(t.TempDir(), "out.ts"))
			c.end(following)
			require.Nil(t, following.Decoded(t.Context()))
		})
	}
	t.Run("nobody waits for longer than he likes", func(t *testing.T) {
		following := tools.Follow(t.Context(), Pushed{Path: prep.Path}, filepath.Join(t.TempDir(), "out.ts"))
		defer following.Stop()
		require.Nil(t, following.Decoded(ctx))
	})
}

// While Mist writes, a follower leaves the host to others; once all wait for it, it does not, where
// the daemon may say so.
func TestFollowGivesWay(t *testing.T) {
	t.Parallel()
	const lowest = 19
	said := filepath.Join(t.TempDir(), "said")
	script := write(t, "ffmpeg", []byte("#!/bin/sh\nsay() { cut -d ' ' -f 19 /proc/$$/stat >> "+said+"; }\nsay\ncat > /dev/null\nsay\n"))
	require.NoError(t, os.Chmod(script, 0o700))
	following := (&Tools{FFmpeg: script}).Follow(t.Context(), Pushed{Path: write(t, "x.ts", nil)}, filepath.Join(t.TempDir(), "out.ts"))
	heard := func() []string {
		text, _ := os.ReadFile(said) // it has said nothing yet
		return strings.Fields(string(text))
	}
	require.Eventually(t, func() bool { return len(heard()) == 1 }, time.Minute, time.Millisecond)
	following.Over()
	following.Decoded(t.Context())

	own, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
	require.NoError(t, err)
	behind := strconv.Itoa(min(20-own+must(strconv.Atoi(followNice)), lowest)) // the system call gives 20 less its niceness
	atEnd := behind
	if mayRaise(t) {
		atEnd = strconv.Itoa(20 - own)
	}
	require.Equal(t, []string{behind, atEnd}, heard())
}

// mayRaise says whether this process has CAP_SYS_NICE.
func mayRaise(t *testing.T) bool {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	require.NoError(t, err)
	effective := regexp.MustCompile(`CapEff:\s*(\w+)`).FindSubmatch(status)
	require.NotNil(t, effective)
	return must(strconv.ParseUint(string(effective[1]), 16, 64))>>unix.CAP_SYS_NICE&1 == 1
}

// allPictures are a file's, each with data of its own.
func allPictures(t *testing.T, path string) (all []picture) {
	t.Helper()
	file, err := os.Open(path)
	require.NoError(t, err)
	defer file.Close()
	demux := &demuxer{each: func(p picture) error {
		p.data = slices.Clone(p.data)
		all = append(all, p)
		return nil
	}}
	_, err = demux.Write(must(io.ReadAll(file)))
	require.NoError(t, err)
	require.NoError(t, demux.end())
	return all
}

// muxed is a file with these pictures.
func muxed(t *testing.T, pictures []picture) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "muxed.ts")
	file, err := os.Create(path)
	require.NoError(t, err)
	mux := newMuxer(file, "h264")
	for _, p := range pictures {
		require.NoError(t, mux.write(p, lookAt("h264", p.data).idr))
	}
	require.NoError(t, file.Close())
	return must(os.ReadFile(path))
}

// What does not decode is told each time, also where frames are reordered and many decode at once:
// with ffmpeg's frame threads it was not, one time in fifty.
func TestDamageIsNeverMissed(t *testing.T) {
	t.Parallel()
	whole := sources.make(t, "reordered.ts", append(pictures("160x96", "30", 2), "-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "60")...)
	data, err := os.ReadFile(whole)
	require.NoError(t, err)
	const packet, tries, atOnce = 188, 120, 40
	cut := filepath.Join(t.TempDir(), "cut.ts")
	require.NoError(t, os.WriteFile(cut, data[:len(data)*44/100/packet*packet], 0o600))
	var group errgroup.Group
	group.SetLimit(atOnce)
	for i := range tries {
		group.Go(func() error {
			frames, err := (&Tools{}).frames(t.Context(), cut, nil, nil)
			if err == nil {
				return fmt.Errorf("decoding %d: %d frames, and not a word of the one that is cut", i, frames)
			}
			return nil
		})
	}
	require.NoError(t, group.Wait())
}
