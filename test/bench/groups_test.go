package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The page has a place for each group, and for no other.
func TestPage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/performance.md")
	require.NoError(t, err)
	var known, there []string
	for _, g := range groups() {
		known = append(known, g.name)
	}
	for line := range strings.Lines(string(page)) {
		if name, found := strings.CutPrefix(line, "<!-- bench "); found {
			there = append(there, strings.TrimSuffix(name, " -->\n"))
		}
	}
	require.ElementsMatch(t, known, there)
}

// A name that nothing has is refused, with those that there are.
func TestChoose(t *testing.T) {
	t.Parallel()
	_, err := choose("speed,nope", false)
	require.ErrorContains(t, err, `no group "nope"`)
	chosen, err := choose("speed,cost", false)
	require.NoError(t, err)
	require.Len(t, chosen, 2)
}

// The short form lets a ratio miss its goal by a third, and judges nothing else; the whole judges all.
func TestVerdict(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		short  bool
		tell   func(*report)
		missed bool
	}{
		{false, func(r *report) { r.add("a", "s", "under 1 s", 1, 1.1) }, true},
		{true, func(r *report) { r.add("a", "s", "under 1 s", 1, 1.1) }, false},
		{false, func(r *report) { r.add("a", "", "under 0.3", 0.3, 0.35) }, true},
		{true, func(r *report) { r.add("a", "", "under 0.3", 0.3, 0.35) }, false},
		{true, func(r *report) { r.add("a", "", "under 0.3", 0.3, 0.41) }, true},
		{true, func(r *report) { r.addAbove("a", "", "0.9 or more", 0.9, 0.61) }, false},
		{true, func(r *report) { r.addAbove("a", "", "0.9 or more", 0.9, 0.59) }, true},
		{false, func(r *report) { r.add("a", "s", "", 0, 9) }, false},
	} {
		r := &report{short: c.short}
		r.begin(&group{name: "g"})
		c.tell(r)
		require.Equal(t, c.missed, r.verdict() != nil)
	}
}

// A group that broke off leaves the page's table of it as it was.
func TestFill(t *testing.T) {
	t.Parallel()
	page := filepath.Join(t.TempDir(), "page.md")
	const before = "<!-- bench a -->\nold a\n<!-- end of a -->\n<!-- bench b -->\nold b\n<!-- end of b -->\n"
	require.NoError(t, os.WriteFile(page, []byte(before), 0o600))
	r := &report{}
	a, b := &group{name: "a"}, &group{name: "b"}
	r.begin(a)
	r.add("one", "s", "", 0, 1)
	r.whole = append(r.whole, a)
	r.begin(b)
	r.add("other", "s", "", 0, 1)
	require.NoError(t, r.fill(page))
	after, err := os.ReadFile(page)
	require.NoError(t, err)
	require.NotContains(t, string(after), "old a")
	require.Contains(t, string(after), "| one |")
	require.Contains(t, string(after), "old b")
	require.NotContains(t, string(after), "other")
}
