package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"weir/db"
	"weir/jobs"
	"weir/jobs/inbox"
)

const (
	databaseEnv = "WEIR_DATABASE_URL"
	// maxConns: a command does one thing after the other.
	maxConns = 2
	// defaultLimit fits a screen or two; maxLimit bounds memory.
	defaultLimit, maxLimit = 50, 1000
)

// admin is one run of the program.
type admin struct {
	in      io.Reader
	out     io.Writer
	environ []string

	databaseURL string
	json        bool

	pool *pgxpool.Pool
}

// failure is an error of a command that was understood; others are about usage.
type failure struct{ err error }

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

func (a *admin) root() *cobra.Command {
	root := group("weir-admin", "See and mend what Weir does", a.transcodes(), a.callbacks(), a.triggers(), a.hosts(), a.tenants(), a.queue(), a.seal(), a.db(), a.doctor(), a.supportBundle())
	root.Long = root.Short + ".\n\nIt speaks to the database alone and works while no daemon is up."
	root.SilenceErrors, root.SilenceUsage = true, true
	root.CompletionOptions.DisableDefaultCmd = true
	root.PersistentFlags().StringVar(&a.databaseURL, "database-url", "",
		"Postgres, as postgres://USER@HOST:PORT/DATABASE; $"+databaseEnv+" where it is not given. Leave passwords to the latter or to ~/.pgpass: others can see this flag")
	root.PersistentFlags().BoolVar(&a.json, "json", false, "print JSON, in the shapes of docs/admin.md")
	return root
}

// group is a command of which only those below it do something.
func group(use, short string, commands ...*cobra.Command) *cobra.Command {
	g := &cobra.Command{Use: use, Short: short}
	names := make([]string, len(commands))
	for i, c := range commands {
		names[i] = c.Name()
	}
	g.AddCommand(commands...)
	g.RunE = func(c *cobra.Command, _ []string) error {
		return fmt.Errorf("%s needs one of: %s", c.CommandPath(), strings.Join(names, ", "))
	}
	return g
}

// act makes a command of f: what f returns is a failure and not a matter of usage.
func act(f func(ctx context.Context, args []string) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		if err := f(c.Context(), args); err != nil {
			return &failure{err}
		}
		return nil
	}
}

// connect opens the database without a look at its schema.
func (a *admin) connect(ctx context.Context) error {
	url := a.databaseURL
	if url == "" {
		url = a.variable(databaseEnv)
	}
	if url == "" {
		return errors.New("no database: set " + databaseEnv + ", or give --database-url")
	}
	pool, err := db.Open(ctx, url, maxConns)
	if err != nil {
		return err
	}
	a.pool = pool
	return nil
}

// variable is one of the environment; "" where it is not there.
func (a *admin) variable(name string) string {
	for _, variable := range a.environ {
		if value, found := strings.CutPrefix(variable, name+"="); found {
			return value
		}
	}
	return ""
}

// open opens a database that has this program's schema.
func (a *admin) open(ctx context.Context) error {
	if err := a.connect(ctx); err != nil {
		return err
	}
	return db.CheckSchema(ctx, a.pool)
}

// openJobs opens the operations that the API has too. Nothing is sealed or opened
// by those used here, so that no key is needed.
func (a *admin) openJobs(ctx context.Context) (*jobs.Transcodes, *jobs.Callbacks, error) {
	if err := a.open(ctx); err != nil {
		return nil, nil, err
	}
	inserter, err := jobs.NewInserter(a.pool)
	if err != nil {
		return nil, nil, err
	}
	transcodes := &jobs.Transcodes{DB: a.pool, River: inserter}
	inbox.Open(transcodes, nil)
	return transcodes, &jobs.Callbacks{DB: a.pool, River: inserter}, nil
}

func (a *admin) close() {
	if a.pool != nil {
		a.pool.Close()
	}
}

// oneID takes the one argument of a command, an id.
func oneID(id *uuid.UUID) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) != 1 {
			return fmt.Errorf("%s takes one id", c.CommandPath())
		}
		parsed, err := uuid.Parse(args[0])
		if err != nil {
			return fmt.Errorf("%q is no id, which is a UUID: see `weir-admin %s list`", args[0], c.Parent().Name())
		}
		*id = parsed
		return nil
	}
}

// limited adds --limit to a list.
func limited(c *cobra.Command, limit *int32) *cobra.Command {
	c.Args = cobra.NoArgs
	c.Flags().Int32Var(limit, "limit", defaultLimit, fmt.Sprintf("lines at most, up to %d", maxLimit))
	c.PreRunE = func(*cobra.Command, []string) error {
		if *limit < 1 || *limit > maxLimit {
			return fmt.Errorf("--limit is %d: give 1 to %d", *limit, maxLimit)
		}
		return nil
	}
	return c
}

// given is nil for a flag that was not given.
func given(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
