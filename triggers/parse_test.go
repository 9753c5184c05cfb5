package triggers

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"weir/mist"
)

// recorded bodies of one trigger, as seeds.
func bodies(tb testing.TB, trigger mist.TriggerName) []string {
	tb.Helper()
	var all []string
	for _, scenario := range recordings(tb) {
		for _, r := range scenario {
			if r.Headers["X-Trigger"] == string(trigger) {
				all = append(all, r.Body)
			}
		}
	}
	return all
}

// fuzz feeds a trigger's parser, and what is made of its result, with anything.
func fuzz(f *testing.F, trigger mist.TriggerName) {
	f.Helper()
	for _, body := range bodies(f, trigger) {
		f.Add([]byte(body))
	}
	for _, body := range []string{"", "\n", "\x00\n\xff", strings.Repeat("1\n", 12), "s\r\nnull\r\n", "{\"source\":\"s\"}\nQQ==\n{}\nu\nv"} {
		f.Add([]byte(body))
	}
	l := &Listener{cfg: Config{HostID: testHost, Spool: testSpool}}
	f.Fuzz(func(t *testing.T, payload []byte) {
		h, known, err := parse(string(trigger), payload)
		require.True(t, known)
		if err == nil {
			require.NotEmpty(t, h.stream)
		}
		e := l.read(&post{trigger: string(trigger), payload: payload, size: int64(len(payload))})
		for _, text := range []string{e.row.Stream, e.row.Note} {
			require.True(t, utf8.ValidString(text))
			require.NotContains(t, text, "\x00")
			require.LessOrEqual(t, len(text), maxNote)
		}
		require.NotNil(t, e.row.Payload)
		if e.says != nil {
			require.Equal(t, verdictApplied, e.row.Verdict)
			require.NotEqual(t, uuid.Nil, e.name.Transcode)
		}
	})
}

func FuzzLiveTrackList(f *testing.F)   { fuzz(f, mist.TriggerLiveTrackList) }
func FuzzPushEnd(f *testing.F)         { fuzz(f, mist.TriggerPushEnd) }
func FuzzRecordingEnd(f *testing.F)    { fuzz(f, mist.TriggerRecordingEnd) }
func FuzzInputAbort(f *testing.F)      { fuzz(f, mist.TriggerInputAbort) }
func FuzzSegmentRejected(f *testing.F) { fuzz(f, mist.TriggerSegmentRejected) }

func TestParseLiveTrackList(t *testing.T) {
	t.Parallel()
	track := mist.Track{Index: 1, TrackID: 65792, Type: "video"}
	const text = `{"v":{"idx":1,"trackid":65792,"type":"video"}}`
	for payload, want := range map[string][]mist.Track{
		"s\n" + text + "\n":     {track},
		"s\r\n" + text + "\r\n": {track},
		"s\n" + text:            {track},
		"s\n{\n" + text[1:]:     {track}, // JSON over several lines
		"s\nnull\n":             nil,
		"s\n\n":                 nil, // upstream
		"s\n":                   nil,
		"s":                     nil,
		"s\n{}":                 nil,
	} {
		got, err := parseLiveTrackList([]byte(payload))
		require.NoError(t, err, "%q", payload)
		require.Equal(t, liveTrackList{stream: "s", tracks: want}, got, "%q", payload)
	}
	for _, payload := range []string{
		"", "\n", "\n" + text, "s\n[]", "s\n{", "s\nnull null", `s` + "\n" + `{"v":{"type":"video"}}`,
		`s` + "\n" + `{"v":{"idx":-1,"trackid":0}}`, `s` + "\n" + `{"v":{"idx":4294967296,"trackid":0}}`,
		`s` + "\n" + `{"v":{"idx":0,"trackid":-65536}}`, `s` + "\n" + `{"v":{"idx":0,"trackid":9223372036854775807}}`,
		string(trackList("s", maxTracks)), // and one of audio
	} {
		_, err := parseLiveTrackList([]byte(payload))
		require.Error(t, err, "%q", payload)
	}
}

func TestParsePushEnd(t *testing.T) {
	t.Parallel()
	const log = `[[1,"FAIL","first","s"],[2,"ERROR","last","s",7,"MistOutHTTPTS","x.cpp:1"],[3,"INFO","Switching","s"],[4],["a",5,6]]`
	for payload, want := range map[string]pushEnd{
		"7\ns\n/a.ts?x\n/a.ts\nnull\nnull":                   {pid: 7, stream: "s", target: "/a.ts?x"},
		"7\r\ns\r\n/a.ts?x\r\n/a.ts\r\nnull\r\nnull\r\n":     {pid: 7, stream: "s", target: "/a.ts?x"},
		"7\ns\n/a\n/a\n" + log + "\n{\"bytes\":3}":           {pid: 7, stream: "s", target: "/a", failure: "last", status: &pushStatus{Bytes: 3}},
		"7\ns\n/a\n/a\n[[\n{\"mediatime\":40,":               {pid: 7, stream: "s", target: "/a"},
		"7\ns\n/a\n/a\n{}\n[]":                               {pid: 7, stream: "s", target: "/a"},
		"7\ns\n/a\n/a\n[]\n{\"mediatime\":0,\"media_tx\":0}": {pid: 7, stream: "s", target: "/a"}, // upstream's zeros
		"7\ns\n/a\n/a": {pid: 7, stream: "s", target: "/a"},
		"7\ns\n/a\n/a\nnull\nnull\nmore\nlines\n\n\n\n\n": {pid: 7, stream: "s", target: "/a"},
	} {
		got, err := parsePushEnd([]byte(payload))
		require.NoError(t, err, "%q", payload)
		require.Equal(t, want, got, "%q", payload)
	}
	for _, payload := range []string{"", "7", "7\ns\n/a", "7\n\n/a\n/a", "\ns\n/a\n/a", "x\ns\n/a\n/a", "1e3\ns\n/a\n/a", "99999999999999999999\ns\n/a\n/a"} {
		_, err := parsePushEnd([]byte(payload))
		require.Error(t, err, "%q", payload)
	}
}

func TestParseRecordingEnd(t *testing.T) {
	t.Parallel()
	const head = "s\n/a.ts\nHTTPTS\n"
	for payload, want := range map[string]recordingEnd{
		head + "5\n1\n2\n3\n1000\n23\n1023\nCLEAN_EOF\nend of stream\n":                  {"s", "/a.ts", 5, 1000, "CLEAN_EOF", "end of stream"},
		head + "0\n0\n2\n3\n0\n18446744073709551615\n0\nUNKNOWN\nCould not connect\n":    {"s", "/a.ts", 0, 0, "UNKNOWN", "Could not connect"},
		head + "5\n1\n2\n3\n18446744073709551000\n0\n0\nCLEAN_EOF\n":                     {"s", "/a.ts", 5, 0, "CLEAN_EOF", ""},
		head + "5\n1\n2\n3\n7\n0\n0\n\x00\xff" + strings.Repeat("X", 2*maxReason) + "\n": {"s", "/a.ts", 5, 7, "\uFFFD\uFFFD" + strings.Repeat("X", maxReason-6), ""},
	} {
		got, err := parseRecordingEnd([]byte(payload))
		require.NoError(t, err, "%q", payload)
		require.Equal(t, want, got, "%q", payload)
	}
	for _, payload := range []string{
		"", head, head + "5\n1\n2\n3\n1000\n23\n1023", head + "-5\n1\n2\n3\n1000\n23\n1023\nX\n",
		head + "x\n1\n2\n3\n1000\n23\n1023\nX\n", head + "5\n1\n2\n3\n1.5\n23\n1023\nX\n", strings.Repeat("\n", 12),
	} {
		_, err := parseRecordingEnd([]byte(payload))
		require.Error(t, err, "%q", payload)
	}
}

func TestParseInputAbort(t *testing.T) {
	t.Parallel()
	got, err := parseInputAbort([]byte("s\n-\nMistInLivepeer\n7\nUNKNOWN\n"))
	require.NoError(t, err)
	require.Equal(t, inputAbort{"s", "-", "MistInLivepeer", "7", "UNKNOWN", ""}, got)
	_, err = parseInputAbort([]byte("s\n-\nMistInLivepeer"))
	require.ErrorIs(t, err, errNoLines)
}

func TestParseSegmentRejected(t *testing.T) {
	t.Parallel()
	const settings = `{"source":"s","access_token":"x"}`
	for payload, want := range map[string]segmentRejected{
		settings + "\nQUJD\n" + `{"width":1280,"height":720,"duration":2000}` + "\nhttp://a\nN/A":               {segmentOptions{Source: "s"}, 3, 1280, 720, 2000, [2]string{"http://a", "N/A"}},
		settings + "\r\nQUJDRA==\r\n" + `{"width":1280,"height":720,"duration":2000}` + "\r\nhttp://a\r\nb\r\n": {segmentOptions{Source: "s"}, 4, 1280, 720, 2000, [2]string{"http://a", "b"}},
		settings + "\nQUJD\n{\n": {segmentOptions{Source: "s"}, 3, 0, 0, 0, [2]string{}},
		settings + "\nQUJDQUJD":  {options: segmentOptions{Source: "s"}}, // cut within the segment
		settings:                 {options: segmentOptions{Source: "s"}},
	} {
		got, err := parseSegmentRejected([]byte(payload))
		require.NoError(t, err, "%q", payload)
		require.Equal(t, want, got, "%q", payload)
	}
	for _, payload := range []string{"", "null", "[]", "{}", "s\nQUJD", `{"source":7}`, `{"source":"s"`} {
		_, err := parseSegmentRejected([]byte(payload))
		require.Error(t, err, "%q", payload)
	}
}

func TestScrub(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                        "",
		"a@b":                     "a@b",
		"http://host/a?b=c":       "http://host/a?b=c",
		"s3+https://K:S@h/b":      "s3+https://[redacted]@h/b",
		"s3+https://K:S/+x@h/b":   "s3+https://[redacted]@h/b", // not as it should be written, but people do
		"http://u@h, http://v@h":  "http://[redacted]@h, http://[redacted]@h",
		`["http://u:p@h","x@y"]`:  `["http://[redacted]@h","x@y"]`,
		"http://u:p@q@h/x":        "http://[redacted]@h/x",
		"://:@":                   "://[redacted]@",
		"\xff://\x00:\xff@\n://@": "\xff://[redacted]@\n://[redacted]@",
	} {
		require.Equal(t, want, string(scrub([]byte(text), false)), "%q", text)
	}
	require.Equal(t, "x s3", string(scrub([]byte("x s3://K:S"), true)))
	require.Equal(t, "x s3://[redacted]@h", string(scrub([]byte("x s3://K:S@h"), true)))
	require.Equal(t, "ab", clean("abé", 3), "no half of a letter")
	require.Equal(t, "a\uFFFDb\uFFFD", clean("a\x00b\xff", 10))
}
