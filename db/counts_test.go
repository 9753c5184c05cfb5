package db_test

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

// grows are the tables that hold what was ever done.
func grows() []string {
	return []string{"transcodes", "attempts", "renditions", "outputs", "callbacks", "callback_attempts", "mist_events", "events",
		"event_deliveries", "event_delivery_attempts", "missed_events", "enqueued", "transcode_labels", "admin_actions", "river_job"}
}

var (
	// ofOne is a condition by which no more is read than what belongs to one of something.
	ofOne = regexp.MustCompile(`\b(id|transcode_id|callback_id|delivery_id|event_id) = `)
	// lately is a condition by which no more is read than what came in a time that a statement
	// says: that does not grow with what was ever done.
	lately = regexp.MustCompile(`> \(now\(\) - '\d\d:\d\d:\d\d'::interval\)`)
	// openStates is a condition that what has ended does not meet.
	openStates = regexp.MustCompile(`\bstate = (ANY \('\{((queued|placed|running|storing|pending)[,}])+'|'(queued|placed|running|storing|pending)')`)
)

// counts are what a plan adds up over all that was ever done: an exact count of it takes
// longer by the day. Behind a limit it may be counted, and what is open, and what belongs to one.
func counts(p *plan, under string) (found []string) {
	switch p.Type {
	case "Limit":
		under = ""
	case "Aggregate", "WindowAgg":
		under = p.Type
	}
	if under != "" && slices.Contains(grows(), p.Relation) && !bound(p) {
		found = append(found, "adds up "+p.Relation+" by "+p.Index+" "+p.Cond)
	}
	for i := range p.Plans {
		found = append(found, counts(&p.Plans[i], under)...)
	}
	return found
}

// bound says whether a scan reads no more than what is open, or belongs to one.
func bound(p *plan) bool {
	if slices.Contains(ofTheOpen(), p.Index) || ofOne.MatchString(p.Cond) || openStates.MatchString(p.Cond) || lately.MatchString(p.Cond) {
		return true
	}
	return p.Type == "Bitmap Heap Scan" && slices.ContainsFunc(p.Plans, func(below plan) bool { return bound(&below) })
}

// TestCountsAreSeen: TestPlans would refuse a statement that counts what was ever done, and
// none that counts up to a number, what is open, or what belongs to one.
func TestCountsAreSeen(t *testing.T) {
	t.Parallel()
	scan := plan{Type: "Index Only Scan", Relation: "transcodes", Index: "transcodes_by_tenant", Cond: "(tenant = 'a'::text)"}
	require.NotEmpty(t, counts(&plan{Type: "Aggregate", Plans: []plan{scan}}, ""))
	require.NotEmpty(t, counts(&plan{Type: "Aggregate", Plans: []plan{{Type: "Nested Loop", Plans: []plan{scan}}}}, ""))
	require.Empty(t, counts(&plan{Type: "Aggregate", Plans: []plan{{Type: "Limit", Plans: []plan{scan}}}}, ""))
	require.Empty(t, counts(&scan, ""))
	for _, cond := range []string{"(transcode_id = $1)", "(state = ANY ('{placed,running}'::text[]))", "((tenant = 'a'::text) AND (state = 'queued'::text))",
		"(finished_at > (now() - '01:00:00'::interval))"} {
		scan.Cond = cond
		require.Empty(t, counts(&plan{Type: "Aggregate", Plans: []plan{scan}}, ""), cond)
	}
	scan.Cond = "(state = ANY ('{running,failed}'::text[]))"
	require.NotEmpty(t, counts(&plan{Type: "Aggregate", Plans: []plan{scan}}, ""))
}

// adds are the statements whose plans are looked at for it: the others' aggregates take
// out what is double.
var adds = regexp.MustCompile(`(?i)\b(count|sum|avg)\(`)

// TestCountsAreInSQL: programs and pages count nothing past the statements of sql/, whose
// plans are looked at.
func TestCountsAreInSQL(t *testing.T) {
	t.Parallel()
	counting, seen := regexp.MustCompile(`(?is)\b(count|sum)\s*\([^"\x60]*\bFROM\s+weir\.`), 0
	for _, room := range []string{"api", "cmd", "jobs", "triggers", "web", "telemetry"} {
		if _, err := os.Stat(filepath.Join("..", room)); err != nil {
			continue // one that is not there yet
		}
		require.NoError(t, filepath.WalkDir(filepath.Join("..", room), func(path string, _ fs.DirEntry, err error) error {
			if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") || strings.Contains(path, "jobstest") {
				return err
			}
			text, err := os.ReadFile(path)
			seen++
			require.NotRegexp(t, counting, string(text), "%s: put it into sql/", path)
			return err
		}))
	}
	require.Positive(t, seen)
	require.Regexp(t, counting, "SELECT count(*) FROM weir.transcodes")
}
