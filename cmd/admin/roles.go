package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"weir/db/roles"
)

// rolesDone is what a command of roles did.
type rolesDone struct {
	Did []string `json:"did"`
}

func (a *admin) dbRoles() *cobra.Command {
	return &cobra.Command{
		Use: "roles", Short: "Make the roles weir_studio, weir_readonly, weir_admin and weir_daemon, and say what each may", Args: cobra.NoArgs,
		RunE: act(func(ctx context.Context, _ []string) error {
			return a.makeRoles(ctx, func(pool *pgxpool.Pool) ([]string, error) { return roles.Make(ctx, pool) })
		}),
	}
}

func (a *admin) dbSpeaker() *cobra.Command {
	remove := false
	c := &cobra.Command{
		Use: "speaker ROLE [TENANT]", Short: "Let a role ask for transcodes of a tenant by SQL; it is made where it is not there",
		Args: func(c *cobra.Command, args []string) error {
			if remove && len(args) == 1 || !remove && len(args) == 2 { //nolint:mnd // a role and a tenant
				return nil
			}
			return fmt.Errorf("%s takes a role and a tenant, or with --remove a role", c.CommandPath())
		},
	}
	c.Flags().BoolVar(&remove, "remove", false, "let the role speak for nobody any more; it stays")
	c.RunE = act(func(ctx context.Context, args []string) error {
		return a.makeRoles(ctx, func(pool *pgxpool.Pool) ([]string, error) {
			if remove {
				return roles.Speak(ctx, pool, args[0], "")
			}
			if args[1] == "" {
				return nil, roles.ErrNoTenant
			}
			return roles.Speak(ctx, pool, args[0], args[1])
		})
	})
	return c
}

func (a *admin) makeRoles(ctx context.Context, do func(*pgxpool.Pool) ([]string, error)) error {
	if err := a.open(ctx); err != nil {
		return err
	}
	did, err := do(a.pool)
	if err != nil {
		return err
	}
	return a.print(rolesDone{did}, func() error {
		var errs []error
		for _, line := range did {
			errs = append(errs, say(a.out, "%s", line))
		}
		return errors.Join(errs...)
	})
}
