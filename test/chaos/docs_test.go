package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	// named is how documents name faults: chaos: "one", "another …".
	named = regexp.MustCompile(`chaos:? ("[^"]+"(?:, "[^"]+")*)`)
	name  = regexp.MustCompile(`"([^"]+)"`)
)

// The documents name faults that there are, and leave none out.
func TestDocumentsNameFaults(t *testing.T) {
	t.Parallel()
	documents, err := filepath.Glob("../../docs/*.md")
	require.NoError(t, err)
	left := map[string]bool{}
	for _, fault := range faults() {
		left[fault.name] = true
	}
	var none []string
	for _, document := range documents {
		text, err := os.ReadFile(document)
		require.NoError(t, err)
		for _, list := range named.FindAllStringSubmatch(string(text), -1) {
			for _, quoted := range name.FindAllStringSubmatch(list[1], -1) {
				one := regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(quoted[1]), "…", ".+") + "$")
				found := false
				for _, fault := range faults() {
					if one.MatchString(fault.name) {
						found = true
						delete(left, fault.name)
					}
				}
				if !found {
					none = append(none, quoted[1])
				}
			}
		}
	}
	slices.Sort(none)
	require.Empty(t, slices.Compact(none), "no such faults")
	require.Empty(t, left, "faults that no document names")
}
