package main

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"
)

const (
	alertsPath   = "../../deploy/prometheus/weir.alerts.yml"
	runbooksPath = "../../docs/runbooks"
)

var (
	alertLine   = regexp.MustCompile(`(?m)^      - alert: (\w+)$`)
	runbookLine = regexp.MustCompile(`(?m)^          runbook_url: docs/runbooks/([a-z-]+\.md)$`)
	// commandSpan is a command of ours as pages write one.
	commandSpan = regexp.MustCompile("`weir-admin ([^`]+)`")
	linkTarget  = regexp.MustCompile(`\]\(([^)#]+)`)
)

// Every alert has its page, every page its alert, and each page says the same five things.
func TestRunbooks(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(alertsPath)
	require.NoError(t, err)
	rules := strings.Split(string(text), "      - alert: ")[1:]
	require.NotEmpty(t, rules)
	var named []string
	for _, rule := range rules {
		name, _, _ := strings.Cut(rule, "\n")
		page := runbookLine.FindStringSubmatch(rule)
		require.NotNil(t, page, "%s has no runbook", name)
		require.Contains(t, rule, "severity: ", name)
		require.Contains(t, rule, "for: ", name)
		require.Contains(t, rule, "summary: ", name)
		is, err := os.ReadFile(filepath.Join(runbooksPath, page[1]))
		require.NoError(t, err, name)
		require.True(t, strings.HasPrefix(string(is), "# "+name+"\n"), "%s is the page of another alert", page[1])
		for _, part := range []string{"**What it means.**", "**What users feel.**", "**How to look.**", "**How to mend.**", "**It is over when**"} {
			require.Contains(t, string(is), part, page[1])
		}
		for _, link := range linkTarget.FindAllStringSubmatch(string(is), -1) {
			_, err := os.Stat(filepath.Join(runbooksPath, link[1]))
			require.NoError(t, err, page[1])
		}
		named = append(named, page[1])
	}
	require.Len(t, alertLine.FindAllString(string(text), -1), len(rules))
	pages, err := os.ReadDir(runbooksPath)
	require.NoError(t, err)
	for _, page := range pages {
		require.Contains(t, named, page.Name(), "it is no alert's")
	}
}

// Every command and flag that a runbook names is one of weir-admin's.
func TestRunbooksNameCommandsThatAreThere(t *testing.T) {
	t.Parallel()
	root := (&admin{out: io.Discard}).root()
	pages, err := filepath.Glob(runbooksPath + "/*.md")
	require.NoError(t, err)
	seen := 0
	for _, page := range append(pages, "../../docs/monitoring.md") {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, m := range commandSpan.FindAllStringSubmatch(string(text), -1) {
			words := strings.Fields(m[1])
			command, rest, err := root.Find(words)
			require.NoError(t, err, "%s: %s", page, m[1])
			require.False(t, command.HasSubCommands(), "%s: %s", page, m[1])
			require.NotEqual(t, root, command, "%s: %s", page, m[1])
			for _, word := range rest {
				name, flag := strings.CutPrefix(word, "--")
				if flag {
					require.NotNil(t, flagOf(command, name), "%s: %s", page, m[1])
				}
			}
			seen++
		}
	}
	require.Positive(t, seen)
	require.True(t, slices.IsSorted(pages))
}

func flagOf(command *cobra.Command, name string) *pflag.Flag {
	if flag := command.Flags().Lookup(name); flag != nil {
		return flag
	}
	return command.InheritedFlags().Lookup(name)
}
