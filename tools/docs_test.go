package tools

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
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

// anchored is [text](target#anchor), heading is what an anchor names, and apart is what GitHub
// leaves out of its name.
var (
	anchored = regexp.MustCompile(`\]\(([^)#\s:]*)#([^)\s]+)\)`)
	heading  = regexp.MustCompile(`(?m)^#+ (.+)$`)
	apart    = regexp.MustCompile(`[^\pL\pN _-]`)
)

// A link into a page leads to a heading of it.
func TestDocumentsLinkToHeadingsThatAreThere(t *testing.T) {
	t.Parallel()
	seen := 0
	for _, document := range documents(t) {
		for _, m := range anchored.FindAllStringSubmatch(read(t, document), -1) {
			target := document
			if m[1] != "" {
				target = filepath.Join(filepath.Dir(document), m[1])
			}
			if filepath.Ext(target) != ".md" {
				continue
			}
			there := map[string]bool{}
			for _, h := range heading.FindAllStringSubmatch(read(t, target), -1) {
				there[strings.ReplaceAll(apart.ReplaceAllString(strings.ToLower(h[1]), ""), " ", "-")] = true
			}
			require.True(t, there[m[2]], "%s links to %s#%s", document, m[1], m[2])
			seen++
		}
	}
	require.Positive(t, seen)
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

// sources are the repository's files of Go, and what is in them.
func sources(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	require.NoError(t, filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && slices.Contains([]string{"../build", "../.git"}, path) {
			return fs.SkipDir
		}
		if strings.HasSuffix(path, ".go") {
			all[strings.TrimPrefix(path, "../")] = read(t, path)
		}
		return nil
	}))
	return all
}

var (
	quoted  = regexp.MustCompile("`([^`\n]+)`")
	aTest   = regexp.MustCompile(`^(Test|Fuzz|Benchmark)[A-Z]\w*$`)
	aPath   = regexp.MustCompile(`^([a-z]+)/[\w./-]+$`)
	aSymbol = regexp.MustCompile(`^([a-z]+)(?:\.\w+)*\.([A-Z]\w*)$`)
)

// Tests, files and symbols that a document names are there.
func TestDocumentsNameWhatIsThere(t *testing.T) {
	t.Parallel()
	files, ours := sources(t), map[string]bool{}
	for file := range files {
		ours[filepath.Base(filepath.Dir(file))] = true
	}
	declared := func(name, in string, tests bool) bool {
		declaration := regexp.MustCompile(`(?m)^(?:func (?:\([^)]*\) )?|type |\t)` + name + `\b`)
		for file, text := range files {
			if strings.HasSuffix(file, "_test.go") == tests && (in == "" || filepath.Base(filepath.Dir(file)) == in) && declaration.MatchString(text) {
				return true
			}
		}
		return false
	}
	for _, document := range documents(t) {
		for _, m := range quoted.FindAllStringSubmatch(read(t, document), -1) {
			switch name := m[1]; {
			case aTest.MatchString(name):
				require.True(t, declared(name, "", true), "%s names %s", document, name)
			case aPath.MatchString(name):
				if _, err := os.Stat(filepath.Join("..", aPath.FindStringSubmatch(name)[1])); err == nil {
					_, err := os.Stat(filepath.Join("..", name))
					require.NoError(t, err, "%s names %s", document, name)
				}
			case aSymbol.MatchString(name):
				parts := aSymbol.FindStringSubmatch(name)
				if ours[parts[1]] {
					require.True(t, declared(parts[2], parts[1], false), "%s names %s", document, name)
				}
			}
		}
	}
}

// postgresSays are messages that are none of ours.
var postgresSays = []string{
	"terminating connection due to idle-in-transaction timeout", "canceling statement due to lock timeout",
	"remaining connection slots are reserved", "too many connections",
}

// aCommand is one of weir-admin, which docs/admin.md is compared with.
var aCommand = regexp.MustCompile(`^(hosts|callbacks|transcodes|triggers|seal|db) [a-z]`)

// What a fault looks like, by docs/operations.md, is said somewhere.
func TestOperationsQuoteWhatIsSaid(t *testing.T) {
	t.Parallel()
	var all strings.Builder
	for file, text := range sources(t) {
		if !strings.HasSuffix(file, "_test.go") {
			all.WriteString(text)
		}
	}
	for line := range strings.Lines(read(t, "../docs/operations.md")) {
		cells := strings.Split(line, " | ")
		const looks, columns = 1, 5
		if !strings.HasPrefix(line, "|") || len(cells) != columns {
			continue
		}
		for _, m := range quoted.FindAllStringSubmatch(cells[looks], -1) {
			if !aCommand.MatchString(m[1]) && !slices.Contains(postgresSays, m[1]) {
				require.Contains(t, all.String(), m[1], "nobody says it")
			}
		}
	}
}

// A page leads to every picture, and no picture makes the repository large.
func TestEveryScreenshotIsLedTo(t *testing.T) {
	t.Parallel()
	const most = 100 << 10 // some seconds on a phone's poor connection
	pictures, err := filepath.Glob("../docs/screenshots/*")
	require.NoError(t, err)
	require.NotEmpty(t, pictures)
	shown := read(t, "../docs/pages.md")
	for _, picture := range pictures {
		require.Contains(t, shown, "](screenshots/"+filepath.Base(picture)+")")
		info, err := os.Stat(picture)
		require.NoError(t, err)
		require.Less(t, info.Size(), int64(most), picture)
	}
}

// docs/README.md leads to every page.
func TestEveryPageIsLedTo(t *testing.T) {
	t.Parallel()
	led := map[string]bool{}
	for _, m := range link.FindAllStringSubmatch(read(t, "../docs/README.md"), -1) {
		led[filepath.Join("../docs", m[1])] = true
	}
	pages := 0
	require.NoError(t, filepath.WalkDir("../docs", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && filepath.Ext(path) == ".md" && path != "../docs/README.md" {
			pages++
			require.True(t, led[path], "docs/README.md does not lead to %s", path)
		}
		return err
	}))
	require.Greater(t, pages, 10)
}
