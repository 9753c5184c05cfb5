package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	"weir/internal/devstack"
)

const (
	// barTotal is the resolution of a bar: tenths of a percent.
	barTotal = 1000
	// barWidth leaves room for names and states on 80 columns.
	barWidth = 40
	// lineStep is how much a ratio grows between two plain lines.
	lineStep = 0.1
)

// newProgress is bars on a terminal, plain lines elsewhere.
func newProgress(ctx context.Context, out *os.File, t *devstack.Transcode) progress {
	if !term.IsTerminal(int(out.Fd())) {
		return &lines{out: out}
	}
	b := &bars{all: mpb.NewWithContext(ctx, mpb.WithOutput(out), mpb.WithWidth(barWidth)), state: map[string]string{}}
	for _, r := range t.Renditions {
		name := r.Name
		b.each = append(b.each, b.all.AddBar(barTotal,
			mpb.PrependDecorators(decor.Name(name, decor.WCSyncSpaceR)),
			mpb.AppendDecorators(decor.Percentage(decor.WCSyncSpace), decor.Any(func(decor.Statistics) string {
				return " " + b.stateOf(name)
			}))))
	}
	return b
}

// lines prints a line whenever a state changes or a tenth more is done.
type lines struct {
	out   *os.File
	last  string
	ratio float64
}

func (l *lines) show(t *devstack.Transcode) {
	states := make([]string, len(t.Renditions))
	for i, r := range t.Renditions {
		states[i] = r.Name + " " + r.State
	}
	text := t.State + ": " + strings.Join(states, ", ")
	if text == l.last && t.Ratio < l.ratio+lineStep {
		return
	}
	l.last, l.ratio = text, t.Ratio
	fmt.Fprintf(l.out, "demo: %3.0f %% %s\n", 100*t.Ratio, text)
}

func (l *lines) done() {}
