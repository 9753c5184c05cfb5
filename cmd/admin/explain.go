package main

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"weir/jobs/explain"
)

// timelineShown is the JSON of transcodes timeline.
type timelineShown struct {
	ID    uuid.UUID      `json:"id"`
	State string         `json:"state"`
	Spans []explain.Span `json:"spans"`
}

func (a *admin) transcodesExplain() *cobra.Command {
	var id uuid.UUID
	return &cobra.Command{
		Use: "explain ID", Short: "Say where a transcode is, what it waits for, what happens next, and what you can do", Args: oneID(&id),
		RunE: act(func(ctx context.Context, _ []string) error {
			e, err := a.explain(ctx, id)
			if err != nil {
				return err
			}
			return a.print(e, func() error {
				_, err := fmt.Fprint(a.out, e.Text())
				return err
			})
		}),
	}
}

func (a *admin) explain(ctx context.Context, id uuid.UUID) (*explain.Explanation, error) {
	if err := a.open(ctx); err != nil {
		return nil, err
	}
	rows, err := explain.Read(ctx, a.pool, id)
	if err != nil {
		return nil, err
	}
	e := explain.Of(rows)
	return &e, nil
}

func (a *admin) transcodesTimeline() *cobra.Command {
	var id uuid.UUID
	return &cobra.Command{
		Use: "timeline ID", Short: "Show how long each step of a transcode took", Args: oneID(&id),
		RunE: act(func(ctx context.Context, _ []string) error {
			if err := a.open(ctx); err != nil {
				return err
			}
			rows, err := explain.Read(ctx, a.pool, id)
			if err != nil {
				return err
			}
			shown := timelineShown{ID: rows.Transcode.ID, State: rows.Transcode.State, Spans: explain.Timeline(rows)}
			return a.print(shown, func() error {
				return a.table("BEGAN AFTER TOOK ATTEMPT HOST STEP RENDITION NOTE", spanLines(shown.Spans))
			})
		}),
	}
}

func spanLines(spans []explain.Span) (lines [][]any) {
	for i := range spans {
		s := &spans[i]
		took := tenths(s.Seconds)
		if s.To == nil {
			took += "..."
		}
		attempt := ""
		if s.Attempt > 0 {
			attempt = fmt.Sprint(s.Attempt)
		}
		lines = append(lines, []any{s.From, "+" + tenths(s.From.Sub(spans[0].From).Seconds()), took, attempt, s.Host, s.What, s.Rendition, s.Note})
	}
	return lines
}

// tenths is a time in tenths of seconds.
func tenths(seconds float64) string {
	return time.Duration(seconds * float64(time.Second)).Round(time.Second / 10).String() //nolint:mnd // tenths
}
