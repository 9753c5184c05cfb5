package main

import (
	"strings"
	"testing"
)

func TestJudge(t *testing.T) {
	t.Parallel()
	const config = `{"config":{"scanner_name":"govulncheck"}}`
	finding := func(module, function string) string {
		return `{"finding":{"osv":"GO-1-1","fixed_version":"v2","trace":[{"module":"` + module + `","version":"v1","package":"p","function":"` + function + `"}]}}`
	}
	for name, c := range map[string]struct {
		said       string
		fails      bool
		told, want string
	}{
		"nothing found":   {config, false, "none in modules", ""},
		"called":          {config + finding("example.com/m", "F"), true, "", "GO-1-1 in p@v1, mended in v2"},
		"there alone":     {config + finding("example.com/m", ""), false, "none in modules", ""},
		"in this Go":      {config + finding("stdlib", "F"), false, "1 in this Go", ""},
		"it did not run":  {"", true, "", "said nothing"},
		"it was cut":      {config + `{"finding":`, true, "", "read what"},
		"of both, by one": {config + finding("stdlib", "F") + finding("m", "F") + finding("m", "F"), true, "1 in this Go", "1 in modules"},
	} {
		var told strings.Builder
		err := judge(strings.NewReader(c.said), &told)
		if (err != nil) != c.fails || !strings.Contains(told.String(), c.told) || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, %q", name, err, told.String())
		}
	}
}
