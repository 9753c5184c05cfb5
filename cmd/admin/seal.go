package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/spf13/cobra"

	"weir/jobs/audit"
	"weir/jobs/reseal"
	"weir/secret"
)

// keysEnv holds the keys, as the daemon's: an argument would show them.
const keysEnv = "WEIR_SECRET_KEY"

// sealState is the JSON of seal status and seal rotate.
type sealState struct {
	Columns []sealColumn `json:"columns"`
}

// sealColumn is where a column's values are.
type sealColumn struct {
	Column     string `json:"column"`
	Resealed   int64  `json:"resealed"`
	Left       int64  `json:"left"`
	Unreadable int64  `json:"unreadable"`
}

func (a *admin) seal() *cobra.Command {
	return group("seal", "The key that secrets are sealed with", a.sealStatus(), a.sealRotate())
}

func (a *admin) sealStatus() *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Say how many values are not sealed with the newest key", Args: cobra.NoArgs,
		RunE: act(func(ctx context.Context, _ []string) error {
			rotation, err := a.rotation(ctx)
			if err != nil {
				return err
			}
			states, err := rotation.Count(ctx)
			if err != nil {
				return err
			}
			return a.printSeals(states)
		}),
	}
}

func (a *admin) sealRotate() *cobra.Command {
	ch := &change{}
	return a.signed(&cobra.Command{
		Use: "rotate", Short: "Seal with the newest key what former ones have sealed; safe beside daemons, and to stop and begin again", Args: cobra.NoArgs,
		RunE: act(func(ctx context.Context, _ []string) error {
			rotation, err := a.rotation(ctx)
			if err != nil {
				return err
			}
			begin := func(states []reseal.State) error { return a.writeRotation(ctx, ch, states) }
			states, err := rotation.Run(ctx, begin, func(s reseal.State) {
				if !a.json {
					_ = say(a.out, "%s.%s: %d sealed anew, %d left", s.Column.Table, s.Column.Name, s.Resealed, s.Left)
				}
			})
			if err != nil {
				return err
			}
			if err := a.printSeals(states); err != nil {
				return err
			}
			var left, unreadable int64
			for _, s := range states {
				left, unreadable = left+s.Left, unreadable+s.Unreadable
			}
			switch {
			case unreadable > 0:
				return fmt.Errorf("%d values can't be opened: add the key that sealed them to %s, behind the others", unreadable, keysEnv)
			case left > 0:
				return fmt.Errorf("%d values are left: a daemon still seals with a former key; start it with the new %s, and do this again", left, keysEnv)
			}
			return nil
		}),
	}, ch)
}

// writeRotation writes down how many values of each column are to be sealed anew, before the
// first is: each is a transaction of its own.
func (a *admin) writeRotation(ctx context.Context, ch *change, states []reseal.State) error {
	values := map[string]int64{}
	for _, s := range states {
		if s.Left > s.Unreadable {
			values[s.Column.Table+"."+s.Column.Name] = s.Left - s.Unreadable
		}
	}
	return audit.Do(ctx, a.pool, ch.action(a, "seal rotate", "secrets", values), false, func(pgx.Tx) error { return nil })
}

func (a *admin) rotation(ctx context.Context) (*reseal.Rotation, error) {
	text, _, err := a.setting(keysEnv)
	if err != nil {
		return nil, err
	}
	if text == "" {
		return nil, errors.New("no key: set " + keysEnv + " as the daemons have it, the newest key first and the former ones behind it")
	}
	keys, err := secret.ParseKeys(text)
	if err != nil {
		return nil, err
	}
	sealer, err := secret.NewSealer(keys...)
	if err != nil {
		return nil, err
	}
	if err := a.open(ctx); err != nil {
		return nil, err
	}
	return &reseal.Rotation{DB: a.pool, Sealer: sealer}, nil
}

func (a *admin) printSeals(states []reseal.State) error {
	shown := sealState{Columns: []sealColumn{}}
	var lines [][]any
	for _, s := range states {
		c := sealColumn{s.Column.Table + "." + s.Column.Name, s.Resealed, s.Left, s.Unreadable}
		shown.Columns = append(shown.Columns, c)
		lines = append(lines, []any{c.Column, c.Resealed, c.Left, c.Unreadable})
	}
	return a.print(shown, func() error { return a.table("COLUMN RESEALED LEFT UNREADABLE", lines) })
}
