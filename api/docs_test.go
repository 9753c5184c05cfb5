package api_test

import (
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"weir/api"
)

var update = flag.Bool("update", false, "write docs/openapi.json anew")

const (
	goldenPath = "../docs/openapi.json"
	guidePath  = "../docs/api.md"
	// vodGuidePath is of Studio's own form.
	vodGuidePath = "../docs/vod.md"
)

// TestOpenAPI holds the contract: a change of it shows in a diff.
func TestOpenAPI(t *testing.T) {
	t.Parallel()
	b := setup(t)
	text, err := api.OpenAPI(b.handler)
	require.NoError(t, err)
	if *update {
		require.NoError(t, os.WriteFile(goldenPath, text, 0o644))
	}
	golden, err := os.ReadFile(goldenPath)
	require.NoError(t, err)
	require.Equal(t, string(golden), string(text), "the API's description changed: go test ./api -run TestOpenAPI -update")

	a := b.do(t, "", http.MethodGet, "/openapi.json", nil)
	require.Equal(t, string(golden), a.text)
	require.Equal(t, "application/openapi+json", a.header.Get("Content-Type"))
	require.NotContains(t, a.text, `"value"`, "no answer holds a refused value")
}

type openAPI struct {
	OpenAPI    string                               `json:"openapi"`
	Paths      map[string]map[string]map[string]any `json:"paths"`
	Components struct {
		Schemas map[string]struct {
			Properties map[string]any `json:"properties"`
		} `json:"schemas"`
	} `json:"components"`
}

func readGolden(t *testing.T) (doc openAPI) {
	t.Helper()
	text, err := os.ReadFile(goldenPath)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &doc))
	require.Equal(t, "3.1.0", doc.OpenAPI)
	return doc
}

// TestGuide: docs/api.md has every route, and no other; and every field of a request.
func TestGuide(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile(guidePath)
	require.NoError(t, err)
	doc := readGolden(t)
	for path, methods := range doc.Paths {
		for method := range methods {
			require.Contains(t, string(guide), "\n## "+strings.ToUpper(method)+" "+path+"\n")
		}
	}
	for line := range strings.Lines(string(guide)) {
		heading, isRoute := strings.CutPrefix(strings.TrimSpace(line), "## ")
		method, path, isRoute2 := strings.Cut(heading, " /")
		if isRoute && isRoute2 {
			require.Contains(t, doc.Paths["/"+path], strings.ToLower(method), "docs/api.md has a route that is none")
		}
	}
	for _, name := range []string{"Submission", "Profile", "Livepeer", "Transcode", "Rendition", "Failure", "Callback", "Source", "WantedOutput", "MadeOutput", "StoredObject", "Usage", "UsedOnDay"} {
		for field := range doc.Components.Schemas[name].Properties {
			require.Contains(t, string(guide), field, "a field of %s", name)
		}
	}
}

// TestVODGuide: docs/vod.md has every field of a request, and every status.
func TestVODGuide(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile(vodGuidePath)
	require.NoError(t, err)
	doc := readGolden(t)
	for _, name := range []string{"VODSubmission", "VODLocation", "VODOutputs", "VODClip", "VODEncryption", "VODProfile", "VODError"} {
		require.NotEmpty(t, doc.Components.Schemas[name].Properties, name)
		for field := range doc.Components.Schemas[name].Properties {
			require.Regexp(t, "[`.]"+field+"`", string(guide), "a field of %s", name)
		}
	}
	answers, ok := doc.Paths[vodPath]["post"]["responses"].(map[string]any)
	require.True(t, ok)
	for status := range answers {
		require.Contains(t, string(guide), status, "an answer")
	}
}

// TestGuideExamples: the requests and answers in docs/api.md and docs/vod.md are real ones.
func TestGuideExamples(t *testing.T) {
	t.Parallel()
	b := setup(t)
	guide, err := os.ReadFile(guidePath)
	require.NoError(t, err)
	vod, err := os.ReadFile(vodGuidePath)
	require.NoError(t, err)
	blocks := strings.Split(string(guide)+string(vod), "```")
	posts := 0
	for i := 1; i < len(blocks); i += 2 {
		kind, text, _ := strings.Cut(blocks[i], "\n")
		if !strings.HasPrefix(kind, "json ") {
			continue
		}
		path := strings.TrimPrefix(kind, "json ")
		if path, refused := strings.CutSuffix(path, " refused"); refused {
			a := b.do(t, studio, http.MethodPost, path, text)
			// The answer is the block behind it.
			_, answer, _ := strings.Cut(blocks[i+2], "\n")
			require.JSONEq(t, answer, a.text)
			posts++
			continue
		}
		a := b.do(t, studio, http.MethodPost, path, text)
		require.Less(t, a.status, 300, "%s: %s", path, a.text)
		posts++
	}
	require.Equal(t, 5, posts)
}

// TestPage: the page for people has every route and every shape, and loads nothing.
func TestPage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	a := b.do(t, "", http.MethodGet, "/docs", nil)
	require.Equal(t, "text/html; charset=utf-8", a.header.Get("Content-Type"))
	doc := readGolden(t)
	for path, methods := range doc.Paths {
		for method := range methods {
			require.Contains(t, a.text, strings.ToUpper(method)+" "+path+"<")
		}
	}
	for name := range doc.Components.Schemas {
		require.Contains(t, a.text, `id="`+name+`"`)
	}
	for _, loads := range []string{"<script", "src=", "<link", "@import"} {
		require.NotContains(t, a.text, loads)
	}
}
