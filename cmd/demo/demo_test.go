package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"weir/internal/devstack"
)

func TestOptions(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		env     map[string]string
		problem string // empty: none
	}{
		"none":       {},
		"keep":       {env: map[string]string{"KEEP": "1"}},
		"do not":     {env: map[string]string{"KEEP": "0"}},
		"keep what":  {env: map[string]string{"KEEP": "yes"}, problem: "KEEP=yes: give 1 or nothing"},
		"S3 alone":   {env: map[string]string{"WEIR_DEMO_S3_ENDPOINT": "http://s3"}, problem: "WEIR_DEMO_S3_ENDPOINT needs WEIR_DEMO_S3_ACCESS_KEY"},
		"Mist alone": {env: map[string]string{"WEIR_DEMO_MIST_API": "http://mist/api2"}, problem: "WEIR_DEMO_MIST_API is set: set all of WEIR_DEMO_MIST_API, WEIR_DEMO_MIST_BIN_DIR, WEIR_DEMO_BROADCASTERS, or none"},
		"Mist as a whole": {env: map[string]string{
			"WEIR_DEMO_MIST_API": "http://mist/api2", "WEIR_DEMO_MIST_BIN_DIR": "/usr/bin", "WEIR_DEMO_BROADCASTERS": "http://a,http://b",
		}},
		"S3 as a whole": {env: map[string]string{
			"WEIR_DEMO_S3_ENDPOINT": "http://s3", "WEIR_DEMO_S3_ACCESS_KEY": "a", "WEIR_DEMO_S3_SECRET_KEY": "b", "WEIR_DEMO_S3_BUCKET": "c",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := readOptions(func(name string) string { return tc.env[name] })
			if tc.problem == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, tc.problem)
			}
		})
	}
}

// Bad use is told in one line, before anything is started.
func TestBadSource(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	garbage := filepath.Join(dir, "garbage.mp4")
	require.NoError(t, os.WriteFile(garbage, bytes.Repeat([]byte("garbage "), 1000), 0o600))
	for name, tc := range map[string]struct{ source, problem string }{
		"missing":      {filepath.Join(dir, "none.mp4"), "there is no such file"},
		"a folder":     {dir + "/", "that ends in .ts, .mp4, .mov, .mkv"},
		"another kind": {"film.avi", "that ends in .ts, .mp4, .mov, .mkv"},
		"unreachable":  {"http://127.0.0.1:1/film.mp4", "SOURCE can't be reached"},
		"no video":     {garbage, "no video in it"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			getenv := func(name string) string { return map[string]string{"SOURCE": tc.source}[name] }
			err := run(t.Context(), getenv, os.Stdout)
			require.ErrorContains(t, err, tc.problem)
			require.NotContains(t, err.Error(), "\n")
		})
	}
}

func TestLadder(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		width, height int
		names         string
	}{
		{1280, 720, "720p 480p 360p"},
		{1919, 1079, "1078p 718p 538p"},
		{720, 1280, "1280p 852p 640p"},
	} {
		var names []string
		for _, p := range ladder(tc.width, tc.height) {
			names = append(names, p.Name)
			require.Zero(t, p.Width%2+p.Height%2)
			require.Positive(t, p.Bitrate)
		}
		require.Equal(t, tc.names, strings.Join(names, " "))
	}
}

func TestObjectKey(t *testing.T) {
	t.Parallel()
	for _, location := range []string{
		"s3://films/out/a.ts", "s3+http://127.0.0.1:7070/films/out/a.ts", "s3+https://K:S@host/films/out/a.ts", "https://host/films/out/a.ts",
	} {
		require.Equal(t, "out/a.ts", objectKey(location, "films"), location)
	}
}

func TestLines(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "out")
	out, err := os.Create(path)
	require.NoError(t, err)
	shown := newProgress(t.Context(), out, nil)
	for _, ratio := range []float64{0, 0.01, 0.05, 0.11, 0.12} {
		shown.show(&devstack.Transcode{State: "running", Ratio: ratio, Renditions: []devstack.Rendition{{Name: "720p", State: "pushing"}}})
	}
	shown.done()
	require.NoError(t, out.Close())
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "demo:   0 % running: 720p pushing\ndemo:  11 % running: 720p pushing\n", string(content))
}

func TestClock(t *testing.T) {
	t.Parallel()
	c := newClock()
	c.note("postgres", 940*time.Millisecond)
	c.note("folder", time.Millisecond)
	c.note("s3", 200*time.Millisecond)
	require.Equal(t, "postgres 0.9 s, s3 0.2 s", c.String())
}

// A whole that is a frame short, of another size or without its sound is seen.
func TestJudge(t *testing.T) {
	t.Parallel()
	good := object{
		rendition: devstack.Rendition{Name: "720p", State: "ok", Width: 1280, Height: 720, Bytes: 9},
		facts:     devstack.Facts{Width: 1280, Height: 720, Frames: 600, Duration: 20 * time.Second, Audio: true},
		bytes:     9,
	}
	d := &demo{facts: good.facts}
	require.NoError(t, d.judge(good))
	for name, spoil := range map[string]func(*object){
		"frames":   func(o *object) { o.facts.Frames-- },
		"height":   func(o *object) { o.facts.Height -= 16 },
		"bytes":    func(o *object) { o.bytes++ },
		"sound":    func(o *object) { o.facts.Audio = false },
		"duration": func(o *object) { o.facts.Duration -= time.Second },
		"state":    func(o *object) { o.rendition.State = "pushed" },
	} {
		bad := good
		spoil(&bad)
		require.Error(t, d.judge(bad), name)
	}
}
