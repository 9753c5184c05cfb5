package tools

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func documents(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, pattern := range []string{"../*.md", "../docs/*.md"} {
		found, err := filepath.Glob(pattern)
		require.NoError(t, err)
		all = append(all, found...)
	}
	return all
}

// link is [text](target), without what comes after a # in it.
var link = regexp.MustCompile(`\]\(([^)#\s]+)[^)\s]*\)`)

func TestDocumentsLinkToWhatIsThere(t *testing.T) {
	t.Parallel()
	for _, document := range documents(t) {
		for _, m := range link.FindAllStringSubmatch(read(t, document), -1) {
			if strings.Contains(m[1], ":") { // https:, mailto:
				continue
			}
			_, err := os.Stat(filepath.Join(filepath.Dir(document), m[1]))
			require.NoError(t, err, "%s links to %s", document, m[1])
		}
	}
}

// code is `make target`, alone or after variables, as documents write commands.
var code = regexp.MustCompile("(?m)(?:`|^ {0,4}\\$? ?)(?:[A-Z_]+=\\S+ )*make ([a-z-]+)")

func TestDocumentsNameTargetsThatAreThere(t *testing.T) {
	t.Parallel()
	makefile := read(t, "../Makefile")
	for _, document := range documents(t) {
		for _, m := range code.FindAllStringSubmatch(read(t, document), -1) {
			require.Contains(t, makefile, "\n"+m[1]+":", "%s names `make %s`", document, m[1])
		}
	}
}

// Lines move; names stay.
func TestDocumentsNameNoLines(t *testing.T) {
	t.Parallel()
	for _, document := range documents(t) {
		require.NotRegexp(t, `\.(go|sql):\d`, read(t, document), "%s: name the symbol", document)
	}
}

// Every target is explained in `make help`.
func TestEveryTargetHasHelp(t *testing.T) {
	t.Parallel()
	makefile := read(t, "../Makefile")
	for _, m := range regexp.MustCompile(`(?m)^\.PHONY: (.+)$`).FindAllStringSubmatch(makefile, -1) {
		for target := range strings.FieldsSeq(m[1]) {
			require.Regexp(t, `(?m)^`+target+`:.* ## `, makefile)
		}
	}
}
