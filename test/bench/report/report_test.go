package report_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"weir/test/bench/report"
)

// The short form lets a ratio miss its goal by a third, and judges nothing else; the whole judges all.
func TestVerdict(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		short  bool
		tell   func(*report.Report)
		missed bool
	}{
		{false, func(r *report.Report) { r.Add("a", "s", "under 1 s", 1, 1.1) }, true},
		{true, func(r *report.Report) { r.Add("a", "s", "under 1 s", 1, 1.1) }, false},
		{false, func(r *report.Report) { r.Add("a", "", "under 0.3", 0.3, 0.35) }, true},
		{true, func(r *report.Report) { r.Add("a", "", "under 0.3", 0.3, 0.35) }, false},
		{true, func(r *report.Report) { r.Add("a", "", "under 0.3", 0.3, 0.41) }, true},
		{true, func(r *report.Report) { r.AddAbove("a", "", "0.9 or more", 0.9, 0.61) }, false},
		{true, func(r *report.Report) { r.AddAbove("a", "", "0.9 or more", 0.9, 0.59) }, true},
		{false, func(r *report.Report) { r.Add("a", "s", "", 0, 9) }, false},
		{true, func(r *report.Report) { r.AddAbove("a", "", "0.5 or more", 0.5, 0.04).WholeOnly() }, false},
		{false, func(r *report.Report) { r.AddAbove("a", "", "0.5 or more", 0.5, 0.04).WholeOnly() }, true},
	} {
		r := &report.Report{Short: c.short}
		r.Begin("g")
		c.tell(r)
		require.Equal(t, c.missed, r.Verdict() != nil)
	}
}

// A group that broke off leaves the page's table of it as it was.
func TestFill(t *testing.T) {
	t.Parallel()
	page := filepath.Join(t.TempDir(), "page.md")
	const before = "<!-- bench a -->\nold a\n<!-- end of a -->\n<!-- bench b -->\nold b\n<!-- end of b -->\n"
	require.NoError(t, os.WriteFile(page, []byte(before), 0o600))
	r := &report.Report{}
	r.Begin("a")
	r.Add("one", "s", "", 0, 1)
	r.End()
	r.Begin("b")
	r.Add("other", "s", "", 0, 1)
	require.NoError(t, r.Write(filepath.Join(t.TempDir(), "bench.json"), page))
	after, err := os.ReadFile(page)
	require.NoError(t, err)
	require.NotContains(t, string(after), "old a")
	require.Contains(t, string(after), "| one |")
	require.Contains(t, string(after), "old b")
	require.NotContains(t, string(after), "other")
}
