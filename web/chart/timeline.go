package chart

import (
	"time"
)

const (
	timelineWidth = 800
	// namesWidth is what the rows' names take at the left.
	namesWidth = 120
	rowHeight  = 26
	rowGap     = 6
	axisHeight = 22
	// spanLeast keeps what took a moment to be seen.
	spanLeast = 2
	ticksMost = 6
)

// Span is something that lasted.
type Span struct {
	From time.Time
	// To is its end; nil: it lasts.
	To    *time.Time
	Class string
	Text  string
}

// Row is what happened to one thing.
type Row struct {
	Name  string
	Spans []Span
}

// Timeline is a picture of rows over one time.
type Timeline struct {
	Title         string
	Width, Height int
	Lines         []Line
	Ticks         []Label
	Base          int
}

// Line is a row of it.
type Line struct {
	Name string
	Y    int
	Mid  int
	Bars []Bar
}

// Time lays out rows; nil where nothing has happened. What lasts is drawn up to now.
func Time(title string, rows []Row, now time.Time) *Timeline {
	var first, last time.Time
	for _, row := range rows {
		for _, s := range row.Spans {
			if first.IsZero() || s.From.Before(first) {
				first = s.From
			}
			if to := s.end(now); to.After(last) {
				last = to
			}
		}
	}
	if first.IsZero() {
		return nil
	}
	whole := max(last.Sub(first), time.Millisecond)
	at := func(t time.Time) float64 {
		return namesWidth + float64(t.Sub(first))/float64(whole)*(timelineWidth-namesWidth-spanLeast)
	}
	line := &Timeline{Title: title, Width: timelineWidth, Base: len(rows) * (rowHeight + rowGap)}
	line.Height = line.Base + axisHeight
	for i, row := range rows {
		l := Line{Name: row.Name, Y: i * (rowHeight + rowGap)}
		l.Mid = l.Y + rowHeight/2
		for _, s := range row.Spans {
			from, to := at(s.From), at(s.end(now))
			l.Bars = append(l.Bars, Bar{
				from, float64(l.Y), max(to-from, spanLeast), rowHeight, s.Class,
				s.Text + ", " + s.end(now).Sub(s.From).Round(time.Millisecond).String(),
			})
		}
		line.Lines = append(line.Lines, l)
	}
	step := tick(whole)
	for d := time.Duration(0); d <= whole; d += step {
		line.Ticks = append(line.Ticks, Label{at(first.Add(d)), d.String()})
	}
	return line
}

func (s *Span) end(now time.Time) time.Time {
	if s.To != nil {
		return *s.To
	}
	if now.Before(s.From) {
		return s.From
	}
	return now
}

// tick is the distance of times that people read well.
func tick(whole time.Duration) time.Duration {
	steps := []time.Duration{
		100 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second,
		time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour, 3 * time.Hour, 12 * time.Hour,
	}
	for _, step := range steps {
		if whole <= step*ticksMost {
			return step
		}
	}
	return max(whole/ticksMost, time.Hour).Round(time.Hour)
}
