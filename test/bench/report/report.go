// Package report collects what the benchmark measures: a table, JSON, and places on a page.
package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// shortSlack is what the short form lets a ratio miss its goal by: CI's machines are shared.
const shortSlack = 1.0 / 3

// A Figure is one line of the table, and one object of bench.json.
type Figure struct {
	// Name is the group's, and what it is in the table.
	Name string `json:"name"`
	// Value is the median, in Unit; Least and Most are its spread.
	Value float64 `json:"value"`
	Least float64 `json:"least"`
	Most  float64 `json:"most"`
	Unit  string  `json:"unit"`
	// Limit is what the machine itself, or a peer, did in the same run, in the same unit, and
	// Ratio is Value by it.
	Limit   *float64 `json:"limit"`
	LimitOf string   `json:"limit_of,omitempty"`
	Ratio   *float64 `json:"ratio"`
	Goal    string   `json:"goal,omitempty"`
	Met     *bool    `json:"met"`

	// line is the name as the table shows it, under its group.
	line, group string
	// ratio is whether the goal is one of a ratio, which alone the short form judges.
	ratio bool
}

// Report collects figures.
type Report struct {
	// Short judges ratios alone, and lets them miss their goals by a third.
	Short bool

	group string // that is measured now
	// whole are those that were measured to their end: what broke off takes no table's place
	// on the page.
	whole   []string
	figures []*Figure
	parent  string // of lines that are part of another
}

// Begin has what is added next be of a group.
func (r *Report) Begin(group string) { r.group, r.parent = group, "" }

// End says that all of the group that was begun is measured.
func (r *Report) End() { r.whole = append(r.whole, r.group) }

// Add tells a figure at once: the whole takes minutes, and may break off. A name that begins
// with a space is part of the last that does not. Without a goal below says nothing.
func (r *Report) Add(name, unit, goal string, below float64, values ...float64) *Figure {
	f := r.tell(name, unit, values)
	if goal != "" {
		f.Judge(goal, f.Value <= below)
		f.ratio = unit == ""
		if r.Short && f.ratio {
			f.Judge(goal, f.Value <= below*(1+shortSlack))
		}
	}
	return f
}

// AddAbove is Add for what is to be reached.
func (r *Report) AddAbove(name, unit, goal string, least float64, values ...float64) *Figure {
	f := r.tell(name, unit, values)
	f.Judge(goal, f.Value >= least)
	f.ratio = unit == ""
	if r.Short && f.ratio {
		f.Judge(goal, f.Value >= least*(1-shortSlack))
	}
	return f
}

func (r *Report) tell(name, unit string, values []float64) *Figure {
	g := r.group
	f := &Figure{
		Name: g + ": " + strings.TrimSpace(name), Unit: unit, line: name, group: g,
		Value: Median(values), Least: slices.Min(values), Most: slices.Max(values),
	}
	if strings.HasPrefix(name, " ") {
		f.Name = g + ": " + r.parent + ": " + strings.TrimSpace(name)
	} else {
		r.parent = name
	}
	r.figures = append(r.figures, f)
	fmt.Fprintf(os.Stderr, "bench: %s: %s %s\n", f.Name, number(f.Value), f.Unit)
	return f
}

// Judge says what the goal is, and whether it is met.
func (f *Figure) Judge(goal string, met bool) { f.Goal, f.Met = goal, &met }

// WholeOnly has the short form tell it and not judge it: it is no ratio, though it has no unit,
// or its goal was never reached, and the short form finds what has become worse.
func (f *Figure) WholeOnly() { f.ratio = false }

// Beside puts what the machine, or a peer, did in the same run, in the figure's unit.
func (f *Figure) Beside(of string, limit float64) {
	ratio := f.Value / limit
	f.Limit, f.LimitOf, f.Ratio = &limit, of, &ratio
}

func (f *Figure) cells() []string {
	beside, met := "", ""
	if f.Ratio != nil {
		beside = fmt.Sprintf("%s of %s: %s", number(*f.Ratio), f.LimitOf, number(*f.Limit))
	}
	if f.Met != nil {
		met = map[bool]string{true: "yes", false: "NO"}[*f.Met]
	}
	return []string{f.line, number(f.Value), number(f.Least), number(f.Most), f.Unit, beside, f.Goal, met}
}

var columns = []string{"figure", "median", "least", "most", "unit", "beside", "goal", "met"}

// number has what is small precise, and what is large readable.
func number(v float64) string {
	if v >= 1000 || v <= -1000 { //nolint:mnd // four digits say enough
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.3f", v)
}

// Write prints the table, and writes it as JSON and into the page.
func (r *Report) Write(file, page string) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0) //nolint:mnd // two spaces between columns
	fmt.Fprintln(w, strings.Join(columns, "\t"))
	for _, f := range r.figures {
		fmt.Fprintln(w, strings.Join(f.cells(), "\t"))
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	text, err := json.MarshalIndent(r.figures, "", "  ")
	if err != nil {
		return fmt.Errorf("write the figures as JSON: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return fmt.Errorf("write the figures: %w", err)
	}
	if err := os.WriteFile(file, append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("write the figures: %w", err)
	}
	if page == "" {
		return nil
	}
	return r.fill(page)
}

// fill puts each group's table into its place on a page.
func (r *Report) fill(page string) error {
	text, err := os.ReadFile(page)
	if err != nil {
		return fmt.Errorf("read the page: %w", err)
	}
	for _, g := range r.whole {
		from, to := fmt.Sprintf("<!-- bench %s -->\n", g), fmt.Sprintf("<!-- end of %s -->", g)
		before, rest, begun := strings.Cut(string(text), from)
		_, after, ended := strings.Cut(rest, to)
		if !begun || !ended {
			return fmt.Errorf("%s has no place for %s: it wants a line %q and one %q", page, g, strings.TrimSpace(from), to)
		}
		text = []byte(before + from + r.markdown(g) + to + after)
	}
	if err := os.WriteFile(page, text, 0o644); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	return nil
}

func (r *Report) markdown(group string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "*Measured %s on %d cores of %s/%s.*\n\n", time.Now().UTC().Format(time.DateOnly), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH)
	fmt.Fprintf(&b, "| %s |\n|%s\n", strings.Join(columns, " | "), strings.Repeat("---|", len(columns)))
	for _, f := range r.figures {
		if f.group != group {
			continue
		}
		cells := f.cells()
		if rest := strings.TrimLeft(cells[0], " "); rest != cells[0] {
			cells[0] = "– " + rest
		}
		fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | "))
	}
	return b.String()
}

// Verdict is an error for each goal that was not met; in the short form for ratios alone.
func (r *Report) Verdict() error {
	var missed []error
	for _, f := range r.figures {
		if f.Met != nil && !*f.Met && (f.ratio || !r.Short) {
			missed = append(missed, fmt.Errorf("%s: %s %s, the goal is %s", f.Name, number(f.Value), f.Unit, f.Goal))
		}
	}
	return errors.Join(missed...)
}

// Median is the middle one.
func Median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
