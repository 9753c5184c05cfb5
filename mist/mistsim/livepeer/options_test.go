package livepeer

import (
	"encoding/json"
	"testing"

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
		"by height":       {`{"height":360}`, 1280, 720, 640, 352},
		"by width":        {`{"width":640}`, 1280, 720, 640, 352},
		"portrait":        {`{"height":360}`, 720, 1280, 352, 640},
		"smaller than 16": {`{"width":10,"height":10}`, 1280, 720, 0, 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var p profile
			require.NoError(t, json.Unmarshal([]byte(c.profile), &p))
			p.complete(c.width, c.height, 29_970)
			require.Equal(t, []any{c.wantW, c.wantH}, []any{p["width"], p["height"]})
			require.Equal(t, []any{29_970, fpsDen, "0.0", "H264High"}, []any{p["fps"], p["fpsDen"], p["gop"], p["profile"]})
		})
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	cases := map[string][]string{
		`[{"address":"http://a"},{"address":"http://b"}]`: {"http://a", "http://b"},
		`["http://a"]`: {"http://a"},
		`http://a`:     {"http://a"},
		`[]`:           nil,
		`[{"x":1}]`:    nil,
		``:             nil,
	}
	for text, want := range cases {
		got, err := addresses(text)
		require.Equal(t, want, got, text)
		if want == nil {
			require.ErrorIs(t, err, errBroadcasters)
		}
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
			if p != nil {
				p.complete(1280, 720, 30_000)
			}
		}
		_, _ = addresses(o.Hardcoded)
	})
}
