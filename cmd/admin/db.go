package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/spf13/cobra"

	"weir/db"
	"weir/db/roles"
	"weir/jobs/audit"
	"weir/jobs/promises"
)

// checkDays is how far back db check looks at what has ended, where nothing else is given.
const checkDays = 30

// dbChecked is the JSON of db check.
type dbChecked struct {
	// Since: of what has ended, what did so since then was looked at.
	Since  time.Time        `json:"since"`
	Faults []promises.Fault `json:"faults"`
}

// schemaFault is the promise that db check finds broken where the schema is none of this
// program's: then it looks at nothing else.
const schemaFault = "schema.version"

func (a *admin) dbCheck() *cobra.Command {
	days := checkDays
	c := &cobra.Command{Use: "check", Short: "Look for what breaks a promise: in the schema, and in rows; it changes nothing", Args: cobra.NoArgs}
	c.Flags().IntVar(&days, "days", checkDays, "how far back to look at what has ended")
	c.PreRunE = func(*cobra.Command, []string) error {
		if days < 1 {
			return fmt.Errorf("--days is %d: give 1 or more", days)
		}
		return nil
	}
	c.RunE = act(func(ctx context.Context, _ []string) error {
		if err := a.connect(ctx); err != nil {
			return err
		}
		found := dbChecked{Since: time.Now().UTC().AddDate(0, 0, -days), Faults: []promises.Fault{}}
		err := db.CheckSchema(ctx, a.pool)
		switch {
		case err == nil:
			if found.Faults, err = promises.Faults(ctx, a.pool, found.Since); err != nil {
				return err
			}
		case schemaIsWrong(err):
			found.Faults = append(found.Faults, promises.Fault{Promise: schemaFault, What: err.Error(), Mend: "weir-admin db migrate"})
		default:
			return err
		}
		if err := a.print(found, func() error {
			lines := make([][]any, len(found.Faults))
			for i, f := range found.Faults {
				lines[i] = []any{f.Promise, f.What, f.Mend}
			}
			if len(lines) == 0 {
				return say(a.out, "nothing is broken; of what has ended, %d days were looked at", days)
			}
			return a.table("PROMISE OF MEND", lines)
		}); err != nil {
			return err
		}
		if n := len(found.Faults); n > 0 {
			return fmt.Errorf("%d found that break a promise; no more than the first of each are listed", n)
		}
		return nil
	})
	return c
}

func schemaIsWrong(err error) bool {
	return errors.Is(err, db.ErrSchemaTooOld) || errors.Is(err, db.ErrSchemaTooNew) || errors.Is(err, db.ErrSchemaDirty) || errors.Is(err, db.ErrSchemaMigrating)
}

func (a *admin) db() *cobra.Command {
	return group("db", "The database's schema and roles", a.dbMigrate(), a.dbStatus(), a.dbCheck(), a.dbPrune(), a.dbRoles(), a.dbSpeaker())
}

func (a *admin) dbMigrate() *cobra.Command {
	ch := &change{}
	return a.signed(&cobra.Command{
		Use: "migrate", Short: "Bring the schema to this program's version; safe to run any number of times, at once too", Args: cobra.NoArgs,
		RunE: act(func(ctx context.Context, _ []string) error {
			if err := a.connect(ctx); err != nil {
				return err
			}
			was, is, err := db.MigrateFrom(ctx, a.pool)
			if err != nil {
				return err
			}
			// Before it there may have been no table to write it into.
			did := &migrated{From: was.Version, To: is.Version}
			if err := audit.Do(ctx, a.pool, ch.action(a, "db migrate", "schema", did), false, func(tx pgx.Tx) error {
				granted, err := roles.Renew(ctx, tx)
				if err != nil {
					return err
				}
				if did.Rights = granted.Changed; did.Rights || did.From != did.To {
					return nil
				}
				return audit.ErrUnchanged
			}); err != nil {
				return err
			}
			return a.print(is, func() error { return say(a.out, "the schema is at version %d", is.Version) })
		}),
	}, ch)
}

// migrated is the detail of what db migrate writes down.
type migrated struct {
	From uint `json:"from"`
	To   uint `json:"to"`
	// Rights of roles were changed too.
	Rights bool `json:"rights"`
}

func (a *admin) dbStatus() *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Say which version the schema has, and which this program needs", Args: cobra.NoArgs,
		RunE: act(func(ctx context.Context, _ []string) error {
			if err := a.connect(ctx); err != nil {
				return err
			}
			status, err := db.Status(ctx, a.pool)
			if err != nil {
				return err
			}
			return a.print(status, func() error {
				fit := "as this program needs it"
				if status.Version > status.Latest {
					fit = "newer, and serves this program"
				}
				err := db.CheckSchema(ctx, a.pool)
				switch {
				case schemaIsWrong(err):
					fit = err.Error()
				case err != nil:
					return err
				}
				return say(a.out, "version %d of %d: %s", status.Version, status.Latest, fit)
			})
		}),
	}
}
