package pack

import (
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Fragments have every frame at its time, and the manifests list what is there.
func TestFragmented(t *testing.T) {
	t.Parallel()
	for _, s := range shapes {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			rung, dir := s.rendition(t), t.TempDir()
			made, err := Packer{}.Fragmented(t.Context(), []Rung{rung}, dir, 2*time.Second)
			require.NoError(t, err)
			require.Equal(t, []string{"index.mpd", "master.m3u8"}, made.Files[len(made.Files)-2:])
			listed(t, dir, made)

			list := filepath.Join(dir, "media-0.m3u8")
			sound := filepath.Join(dir, "media-a.m3u8")
			samePlayed(t, s, rung, whole(t, dir, list), whole(t, dir, sound), 10, 1<<20)
			for _, manifest := range []string{made.Master, made.MPD} {
				got := times(t, "v", filepath.Join(dir, manifest))
				require.Len(t, got, len(times(t, "v", whole(t, dir, list))), manifest)
			}
		})
	}
}

// listed: the folder holds the files that are listed, and their bytes.
func listed(t *testing.T, dir string, made Fragmented) {
	t.Helper()
	var found []string
	var bytes int64
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, entry := range entries {
		found = append(found, entry.Name())
		if strings.HasSuffix(entry.Name(), ".m4s") {
			info, err := entry.Info()
			require.NoError(t, err)
			bytes += info.Size()
		}
	}
	require.ElementsMatch(t, found, made.Files)
	require.Equal(t, bytes, made.Bytes)
}

// whole joins what a media playlist lists, "" where there is none.
func whole(t *testing.T, dir, list string) string {
	t.Helper()
	data, err := os.ReadFile(list)
	if os.IsNotExist(err) {
		return ""
	}
	require.NoError(t, err)
	names := []string{regexp.MustCompile(`EXT-X-MAP:URI="(.*)"`).FindStringSubmatch(string(data))[1]}
	for line := range strings.Lines(string(data)) {
		if !strings.HasPrefix(line, "#") {
			names = append(names, strings.TrimSpace(line))
		}
	}
	var all []byte
	for _, name := range names {
		part, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		all = append(all, part...)
	}
	path := filepath.Join(t.TempDir(), "whole.mp4")
	require.NoError(t, os.WriteFile(path, all, 0o644))
	return path
}

// Rungs with keyframes at the same times are cut at the same times, whatever their encoders do with
// the order of pictures, in all forms.
func TestRungsLineUp(t *testing.T) {
	t.Parallel()
	rungs := []Rung{rendition(t, "plain"), rendition(t, "no_b_frames")}
	dir := t.TempDir()
	made, err := Packer{}.Fragmented(t.Context(), rungs, dir, 3*time.Second)
	require.NoError(t, err)
	data, err := os.ReadFile(filepath.Join(dir, made.MPD))
	require.NoError(t, err)
	var manifest mpdRoot
	require.NoError(t, xml.Unmarshal(data, &manifest))
	require.True(t, manifest.Period.Sets[0].Aligned)
	tracks := manifest.Period.Sets[0].Tracks
	require.Len(t, tracks, 2)
	require.Len(t, tracks[0].Template.Segments, 3)
	require.Equal(t, tracks[0].Template.Segments, tracks[1].Template.Segments)

	var lists []string
	for i, rung := range rungs {
		list, err := Packer{}.HLS(t.Context(), rung, filepath.Join(dir, fmt.Sprint(i)), 3*time.Second)
		require.NoError(t, err)
		data, err := os.ReadFile(filepath.Join(dir, fmt.Sprint(i), list.File))
		require.NoError(t, err)
		lists = append(lists, string(data))
		for n, s := range list.Segments {
			at := times(t, "v", filepath.Join(dir, fmt.Sprint(i), s))[0]
			require.InDelta(t, float64(tracks[0].Template.Segments[n].At)/clock, at, 0.00001)
		}
	}
	require.Equal(t, lists[0], lists[1])
}
