package playlist_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"weir/storage/playlist"
)

func parse(t *testing.T, lines ...string) *playlist.Playlist {
	t.Helper()
	list, err := playlist.Parse([]byte("#EXTM3U\n" + strings.Join(lines, "\n")))
	require.NoError(t, err)
	return list
}

func TestMaster(t *testing.T) {
	t.Parallel()
	list := parse(t, `#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="in",NAME="a"`, `#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="own",NAME="b,c",URI="sound.m3u8"`,
		`#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=9000000,URI="i.m3u8"`,
		`#EXT-X-STREAM-INF:BANDWIDTH=800000,RESOLUTION=640x360,CODECS="avc1,mp4a",AUDIO="in"`, "360p/index.m3u8",
		`#EXT-X-STREAM-INF:RESOLUTION=1280x720,BANDWIDTH=3000000,AUDIO="own"`, "", "720p/index.m3u8?a=b",
		`#EXT-X-STREAM-INF:BANDWIDTH=5000000`, "sound/index.m3u8")
	require.Equal(t, []playlist.Variant{
		{URI: "360p/index.m3u8", Bandwidth: 800000, Width: 640, Height: 360},
		{URI: "720p/index.m3u8?a=b", Bandwidth: 3000000, Width: 1280, Height: 720, Apart: true},
		{URI: "sound/index.m3u8", Bandwidth: 5000000},
	}, list.Variants)
	require.Equal(t, list.Variants[1], list.Best(), "most bits, of those that say that they have a picture")
}

func TestMedia(t *testing.T) {
	t.Parallel()
	list := parse(t, "#EXT-X-VERSION:7", "#EXT-X-TARGETDURATION:10", `#EXT-X-KEY:METHOD=NONE`, `#EXT-X-MAP:URI="init.mp4",BYTERANGE="720@0"`,
		"#EXTINF:10.0,", "#EXT-X-BYTERANGE:1000@720", "all.mp4", "#EXTINF:10,title, with a comma", "#EXT-X-BYTERANGE:500", "all.mp4",
		"# a comment", "#EXT-X-DISCONTINUITY", "#EXT-X-PROGRAM-DATE-TIME:2020-01-01T00:00:00Z", `#EXT-X-MAP:URI="two.mp4"`, "#EXT-X-GAP", "#EXTINF:3", "last.m4s", "#EXT-X-ENDLIST")
	one, two := playlist.Part{URI: "init.mp4", Length: 720}, playlist.Part{URI: "two.mp4"}
	require.Equal(t, []playlist.Segment{
		{Part: playlist.Part{URI: "all.mp4", Offset: 720, Length: 1000}, Init: one},
		{Part: playlist.Part{URI: "all.mp4", Offset: 1720, Length: 500}, Init: one},
		{Part: playlist.Part{URI: "last.m4s"}, Init: two, Discontinuity: true, Gap: true, Time: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)},
	}, list.Segments)
}

// A segment's time of day is read as packagers write it; what is none is left out.
func TestTimes(t *testing.T) {
	t.Parallel()
	want := time.UnixMilli(1_700_000_000_250)
	for _, text := range []string{"2023-11-14T22:13:20.250Z", "2023-11-14T23:13:20.25+01:00", "2023-11-14T23:13:20.250+0100"} {
		list := parse(t, "#EXT-X-PROGRAM-DATE-TIME:"+text, "#EXTINF:2,", "a.ts", "#EXTINF:2,", "b.ts", "#EXT-X-ENDLIST")
		require.True(t, list.Segments[0].Time.Equal(want), "%s: %s", text, list.Segments[0].Time)
		require.True(t, list.Segments[1].Time.IsZero())
	}
	require.True(t, parse(t, "#EXT-X-PROGRAM-DATE-TIME:yesterday", "#EXTINF:2,", "a.ts", "#EXT-X-ENDLIST").Segments[0].Time.IsZero())
}

func TestRefused(t *testing.T) {
	t.Parallel()
	for text, says := range map[string]string{
		"":                                    "empty",
		"<html>":                              "#EXTM3U",
		"#EXTM3U\n":                           "#EXT-X-ENDLIST",
		"#EXTM3U\nx":                          "without #EXTINF",
		"#EXTM3U\n#EXT-X-ENDLIST\n":           "no segments",
		"#EXTM3U\n#EXTINF:2,\na.ts\n":         "still being written",
		"#EXTM3U\n#EXTINF:2,\n#EXT-X-ENDLIST": "ends before",
		"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n":                              "ends before",
		"#EXTM3U\n#EXT-X-STREAM-INF:RESOLUTION=1x1\na\n":                        "BANDWIDTH",
		"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH\na\n":                             "without a value",
		"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO=\"a\na\n":                 "quotes",
		"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\na\n#EXTINF:1,\nb\n":            "both",
		"#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n":                        "encrypted",
		"#EXTM3U\n#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"k\"\n":                     "encrypted",
		"#EXTM3U\n#EXT-X-MAP:BYTERANGE=\"1@0\"\n":                               "URI",
		"#EXTM3U\n#EXTINF:1,\n#EXT-X-BYTERANGE:x\na\n":                          "byte range",
		"#EXTM3U\n#EXTINF:1,\n#EXT-X-BYTERANGE:0@0\na\n":                        "byte range",
		"#EXTM3U\n#EXTINF:1,\n#EXT-X-BYTERANGE:9223372036854775807@1\na":        "byte range",
		"#EXTM3U\n#EXTINF:1,\n#EXT-X-BYTERANGE:5\na\n":                          "follows none",
		"#EXTM3U\n#EXT-X-DEFINE:NAME=\"a\",VALUE=\"b\"\n":                       "variables",
		"#EXTM3U\n" + strings.Repeat("x", 20<<10):                               "longer than",
		"#EXTM3U\n" + strings.Repeat("#EXTINF:1,\na\n", playlist.MaxSegments+1): "more than 86400 segments",
	} {
		_, err := playlist.Parse([]byte(text))
		require.ErrorContains(t, err, says, "%.60q", text)
	}
	_, err := playlist.Parse([]byte("#EXTM3U\n#EXTINF:2,\na.ts\n"))
	require.ErrorIs(t, err, playlist.ErrLive)
	_, err = playlist.Parse([]byte("#EXTM3U\n#EXT-X-KEY:METHOD=AES-128\n"))
	require.ErrorIs(t, err, playlist.ErrEncrypted)
}

// FuzzParse: whatever it is, it ends, and what it gives can be used.
func FuzzParse(f *testing.F) {
	f.Add("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=1x1,AUDIO=\"a\"\na\n")
	f.Add("#EXTM3U\n#EXT-X-MAP:URI=\"i\",BYTERANGE=\"1@0\"\n#EXTINF:1,\n#EXT-X-BYTERANGE:5@1\na\n#EXT-X-ENDLIST")
	f.Fuzz(func(t *testing.T, text string) {
		list, err := playlist.Parse([]byte(text))
		if err != nil {
			require.Nil(t, list)
			return
		}
		require.NotEqual(t, len(list.Variants) > 0, len(list.Segments) > 0)
		if len(list.Variants) > 0 {
			require.NotEmpty(t, list.Best().URI)
		}
		for _, s := range list.Segments {
			require.NotEmpty(t, s.URI)
			require.GreaterOrEqual(t, s.Offset, int64(0))
			require.GreaterOrEqual(t, s.Length, int64(0))
		}
	})
}
