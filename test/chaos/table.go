package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// table prints results as they come.
type table struct {
	out     io.Writer
	results []result
}

const tableLine = "%-52s %-8s %12s %10s  %s\n"

func (t *table) head() {
	fmt.Fprintf(t.out, tableLine, "fault", "survived", "recovered in", "whole", "done again")
}

// add prints a line, and below it what is wrong.
func (t *table) add(res result) {
	t.results = append(t.results, res)
	survived := map[bool]string{true: "yes", false: "NO"}[res.survived()]
	fmt.Fprintf(t.out, tableLine, res.name, survived, tenths(res.recovered), tenths(res.whole), res.repeated)
	for _, trouble := range []struct {
		what  string
		lines []string
	}{{"lost", res.lost}, {"doubled", res.doubled}, {"left behind", res.left}} {
		for _, line := range trouble.lines {
			fmt.Fprintf(t.out, "    %s: %s\n", trouble.what, shortened(line))
		}
	}
	for _, a := range res.attempts {
		if !res.survived() {
			fmt.Fprintf(t.out, "    attempt %d of %s on %s: %s: %s\n", a.Number, a.ExternalID, a.Host, a.Code, shortened(a.Text))
		}
	}
	if res.err != nil {
		fmt.Fprintf(t.out, "    error: %s\n", strings.ReplaceAll(res.err.Error(), "\n", "\n    "))
	}
}

// sum prints the last line, and says whether all is well.
func (t *table) sum() bool {
	survived, lost, doubled, left := 0, 0, 0, 0
	for _, res := range t.results {
		if res.survived() {
			survived++
		}
		lost, doubled, left = lost+len(res.lost), doubled+len(res.doubled), left+len(res.left)
	}
	fmt.Fprintf(t.out, "chaos: faults=%d survived=%d lost=%d doubled=%d left_behind=%d\n", len(t.results), survived, lost, doubled, left)
	return survived == len(t.results)
}

// shownText is enough of an error to know it by; the rows have the rest.
const shownText = 300

func shortened(text string) string {
	text = strings.ReplaceAll(text, "\n", " ")
	return text[:min(len(text), shownText)]
}

func tenths(d time.Duration) string { return max(d, 0).Round(100 * time.Millisecond).String() } //nolint:mnd // tenths of a second
