package media

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
)

// BenchmarkPrepare is what stands between a fetched source and MistProcLivepeer's start: Probe and
// Prepare of 20 s of 720p.
func BenchmarkPrepare(b *testing.B) {
	in := sources.make(b, "bench.mp4", benchSource()...)
	tools := &Tools{}
	for b.Loop() {
		src, err := tools.Probe(b.Context(), in)
		require.NoError(b, err)
		_, err = tools.Prepare(b.Context(), src, in, b.TempDir(), Options{})
		require.NoError(b, err)
	}
}

// BenchmarkStore is what stands between the last push and the upload: Finish and Judge of three
// renditions at once. The prepared source stands for each of them.
func BenchmarkStore(b *testing.B) {
	in := sources.make(b, "bench.mp4", benchSource()...)
	tools := &Tools{}
	src, err := tools.Probe(b.Context(), in)
	require.NoError(b, err)
	prep, err := tools.Prepare(b.Context(), src, in, b.TempDir(), Options{})
	require.NoError(b, err)
	want := Want{Width: 1280, Height: 720, Source: src, Prepared: prep}
	for b.Loop() {
		dir := b.TempDir()
		var group errgroup.Group
		for _, name := range []string{"a.ts", "b.ts", "c.ts"} {
			group.Go(func() error {
				out := filepath.Join(dir, name)
				listed, err := tools.Finish(b.Context(), Pushed{Path: prep.Path, From: in, Source: src, Prepared: prep}, out)
				if err != nil {
					return err
				}
				want := want
				want.Listed = listed
				verdict, err := tools.Judge(b.Context(), out, want)
				if err == nil && !verdict.OK {
					b.Errorf("%+v", verdict.Problems)
				}
				return err
			})
		}
		require.NoError(b, group.Wait())
	}
}

func benchSource() []string {
	const seconds = 20
	return join(pictures("1280x720", "30", seconds), sound(440, seconds), words("-c:v libx264 -preset veryfast -pix_fmt yuv420p -g 60 -c:a aac"))
}
