package livepeer

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestProfileSizes(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		profile       string
		width, height int
		wantW, wantH  int
	}{
		"floored":         {`{"width":640,"height":360}`, 1280, 720, 640, 352},
		"854":             {`{"width":854,"height":480}`, 1280, 720, 848, 480},
		"source's":        {`{}`, 1280, 720, 1280, 720},
		"zeros":           {`{"width":0,"height":0}`, 1920, 1080, 1920, 1072},
		"by height":       {`{"height":360}`, 1280, 720, 640, 352},
		"by width":        {`{"width":640}`, 1280, 720, 640, 352},
		"portrait":        {`{"height":360}`, 720, 1280, 352, 640},
		"portrait, width": {`{"width":360}`, 720, 1280, 352, 640},
		"smaller than 16": {`{"width":10,"height":10}`, 1280, 720, 0, 0},
		"strings":         {`{"width":"640","height":"360p"}`, 1280, 720, 640, 352},
		"fractions":       {`{"width":640.9,"height":367.9}`, 1280, 720, 640, 352},
		"null":            {`null`, 1280, 720, 1280, 720},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, err := parseOptions([]byte(`{"source":"a","target_profiles":[` + c.profile + `]}`))
			require.NoError(t, err)
			p := o.Profiles[0]
			p.complete(c.width, c.height, 29_970)
			require.Equal(t, []any{c.wantW, c.wantH}, []any{p["width"], p["height"]})
			require.Equal(t, []any{29_970, fpsDen, "0.0", "H264High"}, []any{p["fps"], p["fpsDen"], p["gop"], p["profile"]})
		})
	}
}

// TestProfileVerbatim: what is given stays, number by number.
func TestProfileVerbatim(t *testing.T) {
	t.Parallel()
	const (
		size = `"height":16,"width":16`
		rest = `"gop":"0.0","height":16,"profile":"H264High","width":16}`
	)
	cases := map[string]struct {
		fpks       int
		give, want string
	}{
		"rate given":         {30_000, `{` + size + `,"fps":24}`, `{"fps":24,` + rest},
		"fraction given":     {30_000, `{` + size + `,"fps":30000,"fpsDen":1001}`, `{"fps":30000,"fpsDen":1001,` + rest},
		"float given":        {30_000, `{` + size + `,"fps":29.970}`, `{"fps":29.970,` + rest},
		"zero with fpsDen":   {29_970, `{` + size + `,"fps":0,"fpsDen":1}`, `{"fps":29970,"fpsDen":1000,` + rest},
		"text for a rate":    {29_970, `{` + size + `,"fps":"source"}`, `{"fps":29970,"fpsDen":1000,` + rest},
		"no rate anywhere":   {0, `{` + size + `}`, `{"fps":25000,"fpsDen":1000,` + rest},
		"others":             {30_000, `{` + size + `,"bitrate":9007199254740993,"encoder":"H264","fps":1,"gop":null,"name":"<a>","profile":"","quality":1e2,"track_inhibit":"video=none"}`, `{"bitrate":9007199254740993,"encoder":"H264","fps":1,"gop":null,"height":16,"name":"<a>","profile":"","quality":1e2,"width":16}`},
		"nested and boolean": {30_000, `{` + size + `,"fps":1,"a":{"b":[1,true]}}`, `{"a":{"b":[1,true]},"fps":1,` + rest},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, err := parseOptions([]byte(`{"source":"a","target_profiles":[` + c.give + `]}`))
			require.NoError(t, err)
			o.Profiles[0].complete(1280, 720, c.fpks)
			require.Equal(t, c.want, compact(o.Profiles[0]))
		})
	}
}

func TestBroadcasterLists(t *testing.T) {
	t.Parallel()
	cases := []struct {
		text        string
		option, api []string
		optionErr   error
		apiErr      error
	}{
		{`[{"address":"http://a"},{"address":"http://b"}]`, []string{"http://a", "http://b"}, []string{"http://a", "http://b"}, nil, nil},
		{`["http://a"]`, []string{"http://a"}, nil, nil, errDivision},
		{`http://a`, []string{"http://a"}, nil, nil, errBroadcasters},
		{`[]`, nil, nil, errBroadcasters, errBroadcasters},
		{`[{"x":1}]`, nil, nil, errDivision, errDivision},
		{`{"errors":["no"]}`, nil, nil, errBroadcasters, errBroadcasters},
		{`Forbidden`, nil, nil, errBroadcasters, errBroadcasters},
	}
	for _, c := range cases {
		t.Run(fmt.Sprint(c.text), func(t *testing.T) {
			t.Parallel()
			got, err := hardcoded(c.text)
			require.ErrorIs(t, err, c.optionErr)
			require.Equal(t, c.option, got)
			got, err = listed([]byte(c.text))
			require.ErrorIs(t, err, c.apiErr)
			require.Equal(t, c.api, got)
		})
	}
	o := &options{broadcasters: []string{"a", "b"}}
	for range 20 {
		require.Equal(t, "b", o.pick("a"), "another one")
	}
	o.broadcasters = []string{"a"}
	require.Equal(t, "a", o.pick("a"), "the only one")
}

func FuzzParseOptions(f *testing.F) {
	f.Add([]byte(`{"source":"a","target_profiles":[{"name":"x","width":640,"height":360}],"hardcoded_broadcasters":"[]"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		o, err := parseOptions(data)
		if err != nil {
			return
		}
		require.NotEmpty(t, o.Source)
		require.NotEmpty(t, o.Sink)
		for _, p := range o.Profiles {
			p.complete(1280, 720, 30_000)
			require.True(t, json.Valid([]byte(compact(p))))
		}
		_, _ = hardcoded(o.Hardcoded)
		_, _ = listed([]byte(o.Hardcoded))
	})
}

// TestPatience: a try waits for the segment's length in whole seconds and some more.
func TestPatience(t *testing.T) {
	t.Parallel()
	for ms, want := range map[int64]time.Duration{0: 2 * time.Second, 999: 2 * time.Second, 2000: 4 * time.Second, 5999: 7 * time.Second} {
		require.Equal(t, want, (&slot{durationMS: ms}).patience(2*time.Second))
	}
	require.Equal(t, uint64(1<<64-1000), (&slot{durationMS: -1000}).duration(), "times are unsigned")
}

// TestTurns: whoever frees its slot uses up a turn, whether it was its own or not.
func TestTurns(t *testing.T) {
	t.Parallel()
	p := &Process{}
	p.slots[0].written, p.slots[1].written = true, true
	p.release(&p.slots[1])
	require.Equal(t, 1, p.insertTurn, "slot 0 never gets it any more")
	require.True(t, p.slots[1].read)
	require.False(t, p.slots[0].read)
}
