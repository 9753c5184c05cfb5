package main

import (
	"os"
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
