package chart

import "strconv"

// The picture's own units; a browser scales them.
const (
	columnsWidth, columnsHeight = 600, 160
	// columnsTop leaves the largest number its line, columnsFoot the labels theirs.
	columnsTop, columnsFoot = 18, 20
	gapPart                 = 5 // a fifth of a column's place is the gap to the next
	labelsMost              = 8
)

// Series is what one part of each column counts.
type Series struct {
	Name string
	// Class is its style.
	Class string
}

// Column is one of a chart, its parts in the order of the series.
type Column struct {
	Label string
	Parts []int64
}

// Columns are a chart of stacked columns.
type Columns struct {
	Title  string
	Series []Series
	Values []Column
	Most   int64

	Width, Height, Base int
	Bars                []Bar
	Labels              []Label
}

// Bar is a part of a column.
type Bar struct {
	X, Y, W, H float64
	Class      string
	Text       string
}

// Label stands below a column.
type Label struct {
	X    float64
	Text string
}

// Stack lays out columns, at least one.
func Stack(title string, series []Series, values []Column) *Columns {
	c := &Columns{Title: title, Series: series, Values: values, Width: columnsWidth, Height: columnsHeight, Base: columnsHeight - columnsFoot}
	for _, column := range values {
		c.Most = max(c.Most, column.Sum())
	}
	place := float64(columnsWidth) / float64(max(len(values), 1))
	gap := place / gapPart
	every := (len(values) + labelsMost - 1) / labelsMost
	for i, column := range values {
		x, y := float64(i)*place+gap/2, float64(c.Base)
		for j, n := range column.Parts {
			if n == 0 {
				continue
			}
			h := float64(n) / float64(c.Most) * float64(c.Base-columnsTop)
			y -= h
			c.Bars = append(c.Bars, Bar{x, y, place - gap, h, series[j].Class, column.Label + ": " + strconv.FormatInt(n, 10) + " " + series[j].Name})
		}
		if i%max(every, 1) == 0 {
			c.Labels = append(c.Labels, Label{x + (place-gap)/2, column.Label})
		}
	}
	return c
}

// Sum is a column's height.
func (c Column) Sum() (sum int64) {
	for _, n := range c.Parts {
		sum += n
	}
	return sum
}
