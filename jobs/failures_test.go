package jobs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFailureTable(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, kind := range Kinds() {
		require.False(t, seen[kind.Code], "%s stands twice", kind.Code)
		seen[kind.Code] = true
		require.NotEmpty(t, kind.Words, kind.Code)
		require.NotEmpty(t, kind.Blame, kind.Code)
		require.False(t, inside.MatchString(kind.Words), kind.Words)
	}
	require.Equal(t, CodeInternal, KindOf("no such code").Code)
}

// docs/errors.md is the failure table: every line of it is in the code, and says the same,
// and every code is in it.
func TestErrorsAreDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/errors.md")
	require.NoError(t, err)
	const columns = 7
	documented := map[string]Kind{}
	for line := range strings.SplitSeq(string(text), "\n") {
		cells := strings.Split(strings.Trim(line, "| "), " | ")
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		require.Len(t, cells, columns, line)
		code := strings.Trim(cells[0], "`")
		require.NotContains(t, documented, code, "stands twice")
		documented[code] = Kind{}
		kind := KindOf(code)
		require.Equal(t, code, kind.Code, "docs/errors.md has a code that there is not")
		var stages []string
		for _, stage := range kind.Stages {
			stages = append(stages, string(stage))
		}
		require.Equal(t, []string{kind.Words, string(kind.Blame), strings.Join(stages, ", "), kind.Retry()}, cells[1:5], code)
		require.NotEmpty(t, cells[5], code)
		require.NotEmpty(t, cells[6], code)
	}
	for _, kind := range Kinds() {
		require.Contains(t, documented, kind.Code, "docs/errors.md lacks it")
	}
}

// A failure arises only in stages that the table has for it.
func TestFailuresAriseInTheirStages(t *testing.T) {
	t.Parallel()
	var files []string
	for _, of := range []string{"*.go", "host/*.go", "control/*.go"} {
		found, err := filepath.Glob(of)
		require.NoError(t, err)
		files = append(files, found...)
	}
	call := regexp.MustCompile(`Failed\((?:jobs\.)?(Code\w+|string\((?:storage|media)\.Code\w+\)), (?:jobs\.)?(Stage\w+)`)
	codes, stages := map[string]string{}, map[string]Stage{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, found := range regexp.MustCompile(`(Code\w+)\s+= "(\w+)"`).FindAllStringSubmatch(string(text), -1) {
			codes[found[1]] = found[2]
		}
		for _, found := range regexp.MustCompile(`(Stage\w+)\s+Stage = "(\w+)"`).FindAllStringSubmatch(string(text), -1) {
			stages[found[1]] = Stage(found[2])
		}
	}
	checked := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, found := range call.FindAllStringSubmatch(string(text), -1) {
			code, known := codes[found[1]]
			if !known {
				continue // media's or storage's
			}
			require.Contains(t, KindOf(code).Stages, stages[found[2]], "%s: %s", file, found[0])
			checked++
		}
	}
	require.Greater(t, checked, 10)
}
