package mist

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAddStreams(t *testing.T) {
	t.Parallel()
	for file, at := range map[string]float64{"livepeer.json": 0.013, "upstream.json": 0.015} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			e := recorded(t, file, at)
			p := setup(t, string(e.Response))
			require.NoError(t, p.client.AddStreams(t.Context(), map[string]Stream{
				"tr_src_rechappy": SourceStream("/spool/padded.ts"),
				RenditionBase:     RenditionStream(),
			}))
			require.JSONEq(t, string(e.Request), p.requests()[0])
		})
	}
}

func TestAddStreamsNotTaken(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{
		"vetoed":       `{"LTS":1,"authorize":{"status":"OK"},"streams":{"incomplete list":1}}`,
		"none at all":  `{"LTS":1,"authorize":{"status":"OK"},"streams":null}`,
		"other source": `{"LTS":1,"authorize":{"status":"OK"},"streams":{"incomplete list":1,"a":{"name":"a","source":"/elsewhere.ts"}}}`,
		"odd":          `{"LTS":1,"authorize":{"status":"OK"},"streams":{"a":["/a.ts"]}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := setup(t, answer)
			require.ErrorIs(t, p.client.AddStreams(t.Context(), map[string]Stream{"a": SourceStream("/a.ts")}), ErrRefused)
		})
	}
	p := setup(t)
	require.ErrorIs(t, p.client.AddStreams(t.Context(), map[string]Stream{"a": SourceStream("/sp$ool/a.ts")}), ErrInvalid)
	require.Empty(t, p.requests())
}

func TestRemoveStreams(t *testing.T) {
	t.Parallel()
	source, rendition := recorded(t, "livepeer.json", 14.073), recorded(t, "livepeer.json", 16.077)
	left := `{"LTS":1,"authorize":{"status":"OK"},"config":{},"log":null,"streams":{"tr_rend_":{"name":"tr_rend_","source":"push://"}}}`
	p := setup(t, string(source.Response), string(rendition.Response), left)
	require.NoError(t, p.client.RemoveStreams(t.Context(), "tr_src_rechappy", "tr_rend_+rechappy"))
	asked := p.requests()
	require.JSONEq(t, string(source.Request), asked[0])
	require.JSONEq(t, string(rendition.Request), asked[1])

	p = setup(t, string(source.Response), `{"LTS":1,"authorize":{"status":"OK"},"streams":{"tr_src_rechappy":{}}}`)
	require.ErrorIs(t, p.client.RemoveStreams(t.Context(), "tr_src_rechappy"), ErrRefused)

	p = setup(t)
	require.NoError(t, p.client.RemoveStreams(t.Context()))
	require.Empty(t, p.requests())
}

func TestStreamsNeverSendsTheCommandThatReplacesThem(t *testing.T) {
	t.Parallel()
	p := setup(t,
		`{"LTS":1,"authorize":{"status":"OK"},"streams":{"b":{"source":"push://"},"a":{"source":"/a.ts","DVR":"50000"},"c":{"source":"","processes":[]}}}`,
		`{"LTS":1,"authorize":{"status":"OK"},"streams":null}`)
	names, err := p.client.Streams(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b", "c"}, names)
	names, err = p.client.Streams(t.Context())
	require.NoError(t, err)
	require.Empty(t, names)
	require.Equal(t, []string{"/api", "/api"}, p.paths)
	var cmd map[string]any
	require.NoError(t, json.Unmarshal([]byte(p.requests()[0]), &cmd))
	require.NotContains(t, cmd, "streams")
}
