package media

import (
	"bytes"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// A file that is finished while it is written is, byte for byte, what is finished at once, however
// it is written; what can't be drafted is finished at once.
func TestDraft(t *testing.T) {
	t.Parallel()
	shape := shapes()[1]
	in := shape.make(t)
	src, prep := prepared(t, shape, Options{})
	tools := &Tools{} // one, as in a daemon: the sound is made once for all
	all := allPictures(t, prep.Path)
	padded := all[:prep.Frames+padPictures]
	all = all[:prep.Frames]
	// swapped are reordered by more than those before.
	swapped := func(at int) []picture {
		other := slices.Clone(all)
		other[at], other[at+1] = other[at+1], other[at]
		return other
	}
	for _, c := range []struct {
		name    string
		written []picture
		left    []picture // the file in the end; nil: as it was written
		drafted bool
	}{
		{name: "whole", written: all, drafted: true},
		{name: "with padding", written: padded, drafted: true},
		{name: "one segment", written: all[:60], drafted: true},
		{name: "one picture", written: all[:1], drafted: true},
		{name: "a frame short at the start", written: all[1:], drafted: true},
		{name: "a frame short in the middle", written: slices.Delete(slices.Clone(all), 90, 91), drafted: true},
		{name: "a segment short", written: slices.Delete(slices.Clone(all), 60, 120), drafted: true},
		{name: "one twice", written: slices.Insert(slices.Clone(all), 71, all[70]), drafted: true},
		{name: "reordered in the first segment", written: swapped(30), drafted: true},
		{name: "reordered in a later one", written: swapped(90), drafted: true},
		{name: "nothing but padding", written: padded[prep.Frames:]},
		{name: "shorter in the end", written: all, left: all[:100]},
		{name: "longer in the end", written: all[:100], left: all},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			pushed := Pushed{Path: filepath.Join(dir, "pushed.ts"), From: in, Source: src, Prepared: prep}
			file, err := os.Create(pushed.Path)
			require.NoError(t, err)
			followed := filepath.Join(dir, "followed.ts")
			following := tools.Follow(t.Context(), pushed, followed)
			defer following.Stop()
			pieces := rand.New(rand.NewPCG(1, 2))
			for data := muxed(t, c.written); len(data) > 0; {
				n := min(len(data), 1+pieces.IntN(20_000))
				_, err := file.Write(data[:n])
				require.NoError(t, err)
				data = data[n:]
			}
			require.NoError(t, file.Close())
			following.Over()
			draft := following.drafted(t.Context())
			if c.left != nil {
				require.NoError(t, os.WriteFile(pushed.Path, muxed(t, c.left), 0o600))
			}
			require.Equal(t, c.drafted, draft.of(pushed.Path))

			atOnce := filepath.Join(dir, "at-once.ts")
			listed, err := tools.Finish(t.Context(), pushed, atOnce)
			if c.name == "nothing but padding" {
				require.Error(t, err)
				_, err = os.Stat(followed + draftExt)
				require.ErrorIs(t, err, fs.ErrNotExist)
				return
			}
			require.NoError(t, err)
			want := must(os.ReadFile(atOnce))
			pushed.Followed = following
			for _, try := range []string{"first", "again, as the draft is there once"} {
				l, err := tools.Finish(t.Context(), pushed, followed)
				require.NoError(t, err, try)
				require.Equal(t, listed, l, try)
				require.Equal(t, want, must(os.ReadFile(followed)), try)
				_, err = os.Stat(followed + draftExt)
				if c.drafted {
					require.ErrorIs(t, err, fs.ErrNotExist, try)
				}
			}
		})
	}
}

// A file that is written to between the two times that it is read fails its finishing, and nothing else.
func TestRewrittenWhileItIsFinished(t *testing.T) {
	t.Parallel()
	src, prep := prepared(t, shapes()[1], Options{})
	src.Audio = nil
	all := allPictures(t, prep.Path)[:prep.Frames]
	tools := &Tools{}
	of := Pushed{Path: filepath.Join(t.TempDir(), "pushed.ts"), Source: src, Prepared: prep}
	times := newRetimed(must(loadClock(clockPath(prep))), &of)
	require.NoError(t, times.read(bytes.NewReader(muxed(t, all[:28]))))
	times.order()
	_, err := tools.write(t.Context(), &of, bytes.NewReader(muxed(t, all[:29])), times, of.Path+".out")
	require.ErrorIs(t, err, errRewritten)
	_, err = tools.write(t.Context(), &of, bytes.NewReader(muxed(t, all[:28])), times, of.Path+".out")
	require.NoError(t, err)
}

// What nobody takes goes when it is stopped, also in the middle.
func TestDraftIsRemoved(t *testing.T) {
	t.Parallel()
	shape := shapes()[1]
	src, prep := prepared(t, shape, Options{})
	for _, over := range []bool{false, true} {
		dir := t.TempDir()
		following := (&Tools{}).Follow(t.Context(), Pushed{Path: prep.Path, From: shape.make(t), Source: src, Prepared: prep}, filepath.Join(dir, "out.ts"))
		if over {
			following.Over()
			require.NotNil(t, following.drafted(t.Context()))
		}
		following.Stop()
		left, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Empty(t, left)
	}
}
