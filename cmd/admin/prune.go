package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/spf13/cobra"

	"weir/config"
	"weir/db"
	"weir/jobs/audit"
	"weir/jobs/retention"
)

// pruned is the JSON of db prune.
type pruned struct {
	DryRun  bool              `json:"dry_run"`
	Days    keptDays          `json:"days"`
	Removed retention.Removed `json:"removed"`
}

// keptDays is for how many days each kind of history is kept; 0: for ever.
type keptDays struct {
	Transcodes       int `json:"transcodes"`
	Triggers         int `json:"triggers"`
	Events           int `json:"events"`
	CallbackAttempts int `json:"callback_attempts"`
}

// kept are the kinds of history, each with the setting that says how long it is kept.
func kept() map[string]string {
	return map[string]string{
		"transcodes": "KeepTranscodes", "triggers": "KeepTriggers", "events": "KeepEvents", "callback_attempts": "KeepCallbackAttempts",
	}
}

func (a *admin) dbPrune() *cobra.Command {
	var (
		older int
		only  []string
	)
	ch := &change{}
	c := &cobra.Command{Use: "prune", Short: "Remove history that is too old now, as daemons do every ten minutes", Args: asUsed}
	c.Flags().IntVar(&older, "older-than", 0, "days; without it the age of each kind is the daemons' setting, or its default")
	c.Flags().StringSliceVar(&only, "only", nil, "kinds, by commas: transcodes, triggers, events, callback_attempts; all where it is not given")
	offered(c, "only", slices.Sorted(maps.Keys(kept())))
	c.PreRunE = func(c *cobra.Command, _ []string) error {
		if c.Flags().Changed("older-than") && older < 1 {
			return fmt.Errorf("--older-than is %d: give a number of days from 1 on", older)
		}
		for _, kind := range only {
			if kept()[kind] == "" {
				return fmt.Errorf("--only has %q: give some of transcodes, triggers, events, callback_attempts", kind)
			}
		}
		return nil
	}
	c.RunE = act(func(ctx context.Context, _ []string) error {
		days, err := a.days(older, only)
		if err != nil {
			return err
		}
		if err := a.open(ctx); err != nil {
			return err
		}
		keep := retention.Keep{
			Transcodes: days["transcodes"], Triggers: days["triggers"], Events: days["events"], CallbackAttempts: days["callback_attempts"],
		}
		did := pruned{DryRun: ch.dry, Days: keptDays(keep)}
		prune := func(on db.Queryer) error {
			history := &retention.Retention{DB: on, Log: slog.New(slog.DiscardHandler), Keep: keep}
			did.Removed, err = history.Round(ctx)
			return err
		}
		// Batches are transactions of their own, so that it is written down first.
		if err := audit.Do(ctx, a.pool, ch.action(a, "db prune", "history", did.Days), ch.dry, func(tx pgx.Tx) error {
			if !ch.dry {
				return nil
			}
			return prune(tx)
		}); err != nil {
			return err
		}
		if !ch.dry {
			if err := prune(a.pool); err != nil {
				return err
			}
		}
		return a.print(did, func() error {
			words := "removed"
			if ch.dry {
				words = "would be removed"
			}
			r := did.Removed
			return say(a.out, "%s: %d transcodes, %d bulk operations, %d triggers, %d events, %d tries to deliver callbacks; %d transcodes are as old and stay, as something of them is still to be done",
				words, r.Transcodes, r.BulkOperations, r.Triggers, r.Events, r.CallbackAttempts, r.Held)
		})
	})
	return a.changing(c, ch)
}

// days is for how many days each kind of history is kept: as a flag, a setting or its default
// says. A kind that is left out has 0, which is for ever.
func (a *admin) days(older int, only []string) (map[string]int, error) {
	days := map[string]int{}
	for kind, name := range kept() {
		if len(only) > 0 && !slices.Contains(only, kind) {
			continue
		}
		days[kind] = older
		if older > 0 {
			continue
		}
		field, found := reflect.TypeFor[config.Config]().FieldByName(name)
		if !found {
			return nil, errors.New("no setting " + name)
		}
		setting := field.Tag.Get("env")
		text, as, err := a.setting(setting)
		if err != nil {
			return nil, err
		}
		if text == "" {
			text = field.Tag.Get("envDefault")
		}
		n, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil || n < 0 {
			return nil, fmt.Errorf("%s is %q: give a number of days", as, text)
		}
		days[kind] = n
	}
	return days, nil
}
