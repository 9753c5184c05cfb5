package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"weir/db"
	"weir/db/roles"
)

func (a *admin) db() *cobra.Command {
	return group("db", "The database's schema and roles", a.dbMigrate(), a.dbStatus(), a.dbRoles(), a.dbSpeaker())
}

func (a *admin) dbMigrate() *cobra.Command {
	return &cobra.Command{
		Use: "migrate", Short: "Bring the schema to this program's version; safe to run any number of times, at once too", Args: cobra.NoArgs,
		RunE: act(func(ctx context.Context, _ []string) error {
			if err := a.connect(ctx); err != nil {
				return err
			}
			status, err := db.Migrate(ctx, a.pool)
			if err != nil {
				return err
			}
			if _, err := roles.Renew(ctx, a.pool); err != nil {
				return err
			}
			return a.print(status, func() error { return say(a.out, "the schema is at version %d", status.Version) })
		}),
	}
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
				case errors.Is(err, db.ErrSchemaTooOld), errors.Is(err, db.ErrSchemaTooNew), errors.Is(err, db.ErrSchemaDirty),
					errors.Is(err, db.ErrSchemaMigrating):
					fit = err.Error()
				case err != nil:
					return err
				}
				return say(a.out, "version %d of %d: %s", status.Version, status.Latest, fit)
			})
		}),
	}
}
