package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/spf13/cobra"

	"weir/db/roles"
	"weir/jobs/audit"
)

// rolesDone is what a command of roles did: its JSON, and the detail of what it writes down.
type rolesDone struct {
	Did []string `json:"did"`
}

func (a *admin) dbRoles() *cobra.Command {
	ch := &change{}
	return a.changing(&cobra.Command{
		Use: "roles", Short: "Make the roles weir_studio, weir_readonly, weir_admin and weir_daemon, and say what each may", Args: cobra.NoArgs,
		RunE: act(func(ctx context.Context, _ []string) error {
			return a.makeRoles(ctx, ch, "db roles", "roles", func(tx pgx.Tx) (roles.Done, error) { return roles.Make(ctx, tx) })
		}),
	}, ch)
}

func (a *admin) dbSpeaker() *cobra.Command {
	remove, ch := false, &change{}
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
		return a.makeRoles(ctx, ch, "db speaker", args[0], func(tx pgx.Tx) (roles.Done, error) {
			if remove {
				return roles.Speak(ctx, tx, args[0], "")
			}
			if args[1] == "" {
				return roles.Done{}, roles.ErrNoTenant
			}
			return roles.Speak(ctx, tx, args[0], args[1])
		})
	})
	return a.changing(c, ch)
}

func (a *admin) makeRoles(ctx context.Context, ch *change, what, target string, do func(pgx.Tx) (roles.Done, error)) error {
	if err := a.open(ctx); err != nil {
		return err
	}
	did := &rolesDone{}
	if err := audit.Do(ctx, a.pool, ch.action(a, what, target, did), ch.dry, func(tx pgx.Tx) error {
		done, err := do(tx)
		if err != nil {
			return err
		}
		if did.Did = done.Did; !done.Changed {
			return audit.ErrUnchanged
		}
		return nil
	}); err != nil {
		return err
	}
	return a.print(did, func() error {
		var errs []error
		for _, line := range did.Did {
			errs = append(errs, a.saying(ch.dry, "%s", line))
		}
		return errors.Join(errs...)
	})
}
