package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"weir/jobs"
	"weir/jobs/explain"
)

const (
	// everyDefault is how often a following command looks; everyLeast keeps it from being a
	// load.
	everyDefault, everyLeast = time.Second, 200 * time.Millisecond
	// watchPatience is how long a following command goes without an answer of Postgres: over
	// a failover.
	watchPatience = time.Minute
	// clearScreen moves a terminal's cursor home and clears what is there.
	clearScreen = "\x1b[H\x1b[2J"
)

// errEndedBadly: what was watched came to another end than success.
var errEndedBadly = errors.New("it did not succeed")

func (a *admin) transcodesWatch() *cobra.Command {
	var id uuid.UUID
	var every time.Duration
	c := &cobra.Command{
		Use: "watch ID", Short: "Follow a transcode to its end; exit code 1 when that is no success", Args: oneID(&id),
		RunE: act(func(ctx context.Context, _ []string) error { return a.watch(ctx, id, every) }),
	}
	return lookingEvery(c, &every)
}

// lookingEvery adds --every to a command that follows something.
func lookingEvery(c *cobra.Command, every *time.Duration) *cobra.Command {
	c.Flags().DurationVar(every, "every", everyDefault, fmt.Sprintf("how often to look, %s or more", everyLeast))
	before := c.PreRunE
	c.PreRunE = func(c *cobra.Command, args []string) error {
		if *every < everyLeast {
			return fmt.Errorf("--every is %s: give %s or more", *every, everyLeast)
		}
		if before != nil {
			return before(c, args)
		}
		return nil
	}
	return c
}

// repeat looks again and again until look says that it is over. It goes on over errors for
// watchPatience, once it has begun.
func repeat(ctx context.Context, every time.Duration, look func(context.Context) (over bool, err error)) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	var well time.Time
	for {
		over, err := look(ctx)
		switch {
		case err == nil && over:
			return nil
		case err == nil:
			well = time.Now()
		case ctx.Err() != nil: // what broke off says less
		case time.Since(well) > watchPatience:
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("stopped before its end: %w", context.Cause(ctx))
		case <-tick.C:
		}
	}
}

// unlessStopped is for what has no end but that somebody stops it.
func unlessStopped(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	return nil
}

func (a *admin) watch(ctx context.Context, id uuid.UUID, every time.Duration) error {
	if err := a.open(ctx); err != nil {
		return err
	}
	drawn, said := terminal(a.out) && !a.json, ""
	var last explain.Explanation
	err := repeat(ctx, every, func(ctx context.Context) (bool, error) {
		rows, err := explain.Read(ctx, a.pool, id)
		if err != nil {
			return false, err
		}
		last = explain.Of(rows)
		over := jobs.Terminal(last.State)
		if drawn {
			_, err := fmt.Fprint(a.out, clearScreen+last.Text())
			return over, err
		}
		line := watchLine(&last)
		if line == said {
			return over, nil
		}
		said = line
		if a.json {
			return over, a.printLine(last)
		}
		return over, say(a.out, "%s  %s", cell(last.At), line)
	})
	if err != nil {
		return err
	}
	if last.State != jobs.StateSucceeded {
		return fmt.Errorf("transcode %s: %w: %s", last.ID, errEndedBadly, last.State)
	}
	return nil
}

// watchLine is what is news when it changes.
func watchLine(e *explain.Explanation) string {
	line := fmt.Sprintf("%s %s", e.State, percent(e.Ratio))
	if e.Stage != nil {
		line += ", " + *e.Stage
	}
	if e.Attempt > 0 {
		line += fmt.Sprintf(", attempt %d on %s", e.Attempt, cell(e.Host))
	}
	switch {
	case e.Failure != nil:
		line += ": " + e.Failure.Code + " at " + e.Failure.Stage
	case e.State == jobs.StateQueued && len(e.Waits) > 0:
		line += ": " + e.Waits[0]
	}
	return printable(line)
}

// printLine writes v as JSON on one line, for what goes on.
func (a *admin) printLine(v any) error {
	encoder := json.NewEncoder(a.out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	return nil
}
