package metrics

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"weir/db/dbtest"
	"weir/jobs/trace"
	"weir/storage"
	"weir/studio"
)

// described finds the name, the help and the labels in what a Desc prints.
var described = regexp.MustCompile(`fqName: "([^"]+)", help: "((?:[^"\\]|\\.)*)".*variableLabels: \{([^}]*)\}`)

// all is what a registry with everything in it describes, but Go's and the process's own.
func all(t *testing.T) (lines []string) {
	t.Helper()
	m := New(&Config{DB: dbtest.New(t), Leads: true, Disks: func() []Disk { return nil }})
	descs := make(chan *prometheus.Desc)
	go func() {
		m.registry.Describe(descs)
		close(descs)
	}()
	for desc := range descs {
		found := described.FindStringSubmatch(desc.String())
		require.NotNil(t, found, desc.String())
		if strings.HasPrefix(found[1], "weir_") {
			lines = append(lines, fmt.Sprintf("| `%s` | %s | %s |", found[1], strings.ReplaceAll(found[3], ",", ", "), found[2]))
		}
	}
	slices.Sort(lines)
	return lines
}

// docs/metrics.md is this text; UPDATE=1 writes it.
func TestMetricsAreDocumented(t *testing.T) {
	t.Parallel()
	const path = "../../docs/metrics.md"
	text := "# Metrics\n\nWhat `/metrics` tells, beside Go's and the process's own (`go_`, `process_`). " +
		"This page is made from the code (`UPDATE=1 go test ./jobs/metrics`); [monitoring.md](monitoring.md) says what to do with it.\n\n" +
		"| name | labels | what it says |\n|---|---|---|\n" + strings.Join(all(t), "\n") + "\n"
	if os.Getenv("UPDATE") != "" {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	is, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, text, string(is), "run UPDATE=1 go test ./jobs/metrics")
}

// No label has more values than were counted on, whatever others send.
func TestLabelsAreBounded(t *testing.T) {
	t.Parallel()
	m := New(&Config{DB: dbtest.New(t)})
	for i := range 1000 {
		m.Seen(fmt.Sprint("TRIGGER_", i), "noted")
		m.Behind(fmt.Sprintf("https://KEY:planted@b%d.example:8935/live?token=planted", i), time.Second)
	}
	m.Took(trace.Fetch, time.Second, false)
	m.Stored("upload", 5, storage.Code(""))
	m.Told(studio.Delivered, time.Second)
	families, err := m.registry.Gather()
	require.NoError(t, err)
	for _, family := range families {
		require.LessOrEqual(t, len(family.GetMetric()), labelsMost+1, family.GetName())
		require.NotContains(t, family.String(), "planted", family.GetName())
	}
}
