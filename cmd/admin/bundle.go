package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"weir/jobs/filter"
	"weir/jobs/support"
)

// bundleMade is the JSON of support-bundle.
type bundleMade struct {
	File  string         `json:"file"`
	Bytes int64          `json:"bytes"`
	Parts []support.Part `json:"parts"`
}

// bundledDefault holds a night's page, and what came before it.
const bundledDefault = "2h"

func (a *admin) supportBundle() *cobra.Command {
	var since time.Duration
	var sinceText, file string
	var yes bool
	c := &cobra.Command{
		Use: "support-bundle", Short: "Write what is to be known of the last hours into a file, without secrets", Args: asUsed,
		PreRunE: func(*cobra.Command, []string) (err error) {
			if since, err = filter.Duration(sinceText); err != nil || since < time.Minute || since > support.SinceMost {
				return fmt.Errorf("--since is %q: give 1m to %s, as 90m, 12h, 2d", sinceText, filter.Length(support.SinceMost))
			}
			if a.json && !yes {
				return errors.New("--json asks nobody: give --yes too")
			}
			return nil
		},
		RunE: act(func(ctx context.Context, _ []string) error {
			if file == "" {
				file = "weir-support-" + time.Now().UTC().Format("20060102-150405") + ".tar.gz"
			}
			if !yes {
				if err := a.tellParts(file, since); err != nil {
					return err
				}
			}
			if err := a.open(ctx); err != nil {
				return err
			}
			out, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) //nolint:mnd // nobody else's
			if err != nil {
				return fmt.Errorf("--out: %w", err)
			}
			parts, err := support.Write(ctx, a.pool, out, since)
			if closed := out.Close(); err == nil {
				err = closed
			}
			if err != nil {
				return errors.Join(err, os.Remove(file))
			}
			info, err := os.Stat(file)
			if err != nil {
				return fmt.Errorf("look at what was written: %w", err)
			}
			return a.print(bundleMade{file, info.Size(), parts}, func() error {
				for _, part := range parts {
					if part.Cut != "" {
						if err := say(a.out, "%s: %s", part.Name, part.Cut); err != nil {
							return err
						}
					}
				}
				return say(a.out, "%s, %d KiB: look into it before you hand it on", file, info.Size()>>10)
			})
		}),
	}
	c.Flags().StringVar(&sinceText, "since", bundledDefault, "how far back it reaches, as 90m, 12h, 2d")
	c.Flags().StringVar(&file, "out", "", "the file to write, which must not be there; weir-support-TIME.tar.gz where it is not given")
	takesFile(c, "out")
	c.Flags().BoolVar(&yes, "yes", false, "ask nothing, for scripts")
	return c
}

// tellParts lists what is taken, and has a person say that this is meant.
func (a *admin) tellParts(file string, since time.Duration) error {
	if err := say(a.out, "It reads the database alone, in one connection, and writes %s, of the last %s:", file, filter.Length(since)); err != nil {
		return err
	}
	for _, part := range support.Parts() {
		if err := say(a.out, "  %-22s %s", part.Name, part.What); err != nil {
			return err
		}
	}
	if err := say(a.out, "Left out: all that is sealed, bodies of requests and callbacks, keys, passwords, tokens and queries of\nURLs. It does hold names of tenants, hosts, buckets and files."); err != nil {
		return err
	}
	return a.confirm("write " + file)
}
