package trace

import (
	"context"
	"log/slog"
	"maps"
)

// lines adds to each line of a log what its context is about.
type lines struct {
	slog.Handler
	// given are fields that the logger has already.
	given map[string]bool
}

// Lines returns a handler that adds to each line what its context is about, where the line
// does not say it itself.
func Lines(next slog.Handler) slog.Handler { return &lines{Handler: next} }

// Handle implements slog.Handler.
func (l *lines) Handle(ctx context.Context, line slog.Record) error {
	fields := Of(ctx).fields()
	if len(fields) == 0 {
		return l.Handler.Handle(ctx, line)
	}
	said := maps.Clone(l.given)
	if said == nil {
		said = map[string]bool{}
	}
	line.Attrs(func(field slog.Attr) bool {
		said[field.Key] = true
		return true
	})
	line = line.Clone()
	for _, field := range fields {
		if !said[field.Key] {
			line.AddAttrs(field)
		}
	}
	return l.Handler.Handle(ctx, line)
}

// WithAttrs implements slog.Handler.
func (l *lines) WithAttrs(fields []slog.Attr) slog.Handler {
	given := maps.Clone(l.given)
	if given == nil {
		given = map[string]bool{}
	}
	for _, field := range fields {
		given[field.Key] = true
	}
	return &lines{Handler: l.Handler.WithAttrs(fields), given: given}
}

// WithGroup implements slog.Handler.
func (l *lines) WithGroup(name string) slog.Handler {
	return &lines{Handler: l.Handler.WithGroup(name), given: l.given}
}
