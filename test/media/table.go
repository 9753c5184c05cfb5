package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// columnGap parts the table's columns.
const columnGap = 2

// print writes the table and what is wrong below it, and returns how many rows are wrong.
func printTable(out io.Writer, rows []*row) (wrong int) {
	table := tabwriter.NewWriter(out, 0, 0, columnGap, ' ', 0)
	fmt.Fprintln(table, "file\toutcome\tframes\tsync\taspect\tseconds\t")
	for _, r := range rows {
		frames, sync, aspect, mark := "-", "-", "-", ""
		if r.frames > 0 {
			frames, aspect = fmt.Sprint(r.frames), fmt.Sprintf("%.3f", r.aspect)
		}
		if r.compared {
			sync = fmt.Sprintf("%+.0f ms", 1000*r.sync)
		}
		switch {
		case len(r.problems) > 0:
			wrong++
			mark = "WRONG"
		case len(r.retried) > 0:
			mark = "after another attempt"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%.1f\t%s\n", r.name, r.outcome, frames, sync, aspect, r.took.Seconds(), mark)
	}
	_ = table.Flush() // the terminal is all there is to write to
	fmt.Fprintln(out)
	for _, r := range rows {
		if said := append(slices.Clone(r.problems), r.retried...); len(said) > 0 {
			fmt.Fprintf(out, "%s: %s\n", r.name, strings.Join(said, "; "))
		}
	}
	return wrong
}
