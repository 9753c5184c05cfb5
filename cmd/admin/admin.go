package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"weir/config"
	"weir/config/buildinfo"
	"weir/db"
	"weir/jobs"
	"weir/jobs/audit"
	"weir/jobs/filter"
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
	err     io.Writer
	environ []string

	databaseURL string
	configFile  string
	json        bool

	pool *pgxpool.Pool
	// named is where the database's address came from.
	named string
}

// failure is an error of a command that was understood; others are about usage.
type failure struct{ err error }

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

func (a *admin) root() *cobra.Command {
	root := group("weir-admin", "See and mend what Weir does", a.transcodes(), a.failures(), a.bulk(), a.callbacks(), a.triggers(), a.events(), a.hosts(), a.top(), a.tenants(), a.queue(), a.actions(), a.seal(), a.webUser(), a.db(), a.doctor(), a.supportBundle(), a.config(), a.version())
	root.Long = root.Short + ".\n\nIt speaks to the database alone and works while no daemon is up."
	root.SilenceErrors, root.SilenceUsage = true, true
	root.Version = buildinfo.Read().String()
	root.SetVersionTemplate("weir-admin {{.Version}}\n")
	root.PersistentFlags().StringVar(&a.databaseURL, "database-url", "",
		"Postgres, as postgres://USER@HOST:PORT/DATABASE; $"+databaseEnv+" where it is not given. Leave passwords to the latter or to ~/.pgpass: others can see this flag")
	root.PersistentFlags().StringVar(&a.configFile, "config", "",
		"`FILE` of a daemon's settings, for what the environment does not say; $"+config.FileVariable+" where it is not given, "+config.DefaultFile+" where nothing else names a database")
	root.PersistentFlags().BoolVar(&a.json, "json", false, "print JSON, in the shapes of docs/admin.md")
	root.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp)
	takesFile(root, "config")
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
	g.RunE = func(c *cobra.Command, args []string) error {
		if len(args) > 0 {
			return fmt.Errorf("%s has no %q: give one of %s", c.CommandPath(), args[0], strings.Join(names, ", "))
		}
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
	url, as := a.databaseURL, "--database-url"
	if url == "" {
		var err error
		if url, as, err = a.setting(databaseEnv); err != nil {
			return err
		}
	}
	if url == "" {
		return errors.New("no database: set " + databaseEnv + ", or give --database-url or --config")
	}
	pool, err := db.Open(ctx, url, maxConns)
	if err != nil {
		return fmt.Errorf("%s: %w", as, err)
	}
	a.pool, a.named = pool, as
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

// asUsed has a command take as many arguments as its usage names.
func asUsed(c *cobra.Command, args []string) error {
	want := strings.Fields(c.Use)[1:]
	switch {
	case len(args) < len(want):
		return fmt.Errorf("%s needs %s", c.CommandPath(), strings.Join(want[len(args):], " and "))
	case len(args) > len(want):
		return fmt.Errorf("%s: %q is one word too many; it takes %s", c.CommandPath(), args[len(want)], cmp.Or(strings.Join(want, " and "), "flags alone"))
	}
	return nil
}

// limited adds --limit to a list.
func limited(c *cobra.Command, limit *int32) *cobra.Command {
	c.Args = asUsed
	c.Flags().Int32Var(limit, "limit", defaultLimit, fmt.Sprintf("lines at most, up to %d", maxLimit))
	c.PreRunE = func(*cobra.Command, []string) error {
		if *limit < 1 || *limit > maxLimit {
			return fmt.Errorf("--limit is %d: give 1 to %d", *limit, maxLimit)
		}
		return nil
	}
	return c
}

// change is who changes something and why, and whether it is rolled back.
type change struct {
	reason, who string
	dry         bool
	// needs: there is to be a reason.
	needs bool
}

// changing adds the flags of a change to a command.
func (a *admin) changing(c *cobra.Command, ch *change) *cobra.Command {
	c.Flags().BoolVar(&ch.dry, "dry-run", false, "do it, show what came of it, and roll it back")
	return a.signed(c, ch)
}

// signed adds those of a change that is more than a transaction, and can't be rolled back.
func (a *admin) signed(c *cobra.Command, ch *change) *cobra.Command {
	c.Flags().StringVar(&ch.reason, "reason", "", "why, for whoever finds it so; it is kept, see actions list")
	c.Flags().StringVar(&ch.who, "who", "", "who changes it, where the account is shared; else the account's name")
	return checked(c, func() error {
		if ch.needs && strings.TrimSpace(ch.reason) == "" && a.terminal() {
			answer, err := a.ask("why? ")
			if err != nil {
				return err
			}
			ch.reason = answer
		}
		switch {
		case ch.needs && strings.TrimSpace(ch.reason) == "":
			return errors.New("--reason is missing: say why, for whoever finds it so")
		case utf8.RuneCountInString(ch.reason) > reasonMost:
			return fmt.Errorf("--reason is longer than %d characters", reasonMost)
		case utf8.RuneCountInString(ch.who) > whoMost:
			return fmt.Errorf("--who is longer than %d characters", whoMost)
		}
		return nil
	})
}

// reasonMost and whoMost are what a row takes.
const reasonMost, whoMost = 1000, 200

// name is who it is.
func (ch *change) name(a *admin) string { return cmp.Or(strings.TrimSpace(ch.who), a.who()) }

// action is what is written down of a change.
func (ch *change) action(a *admin, what, target string, detail any) *audit.Action {
	return &audit.Action{Who: ch.name(a), Via: audit.CLI, What: what, Target: target, Reason: strings.TrimSpace(ch.reason), Detail: detail}
}

// do changes something, and writes down who did and why, in one transaction: a dry run is
// the same one, rolled back.
func (a *admin) do(ctx context.Context, ch *change, what, target string, detail any, f func(*jobs.Transcodes, *jobs.Callbacks) error) error {
	transcodes, _, err := a.openJobs(ctx)
	if err != nil {
		return err
	}
	return audit.Do(ctx, a.pool, ch.action(a, what, target, detail), ch.dry, func(tx pgx.Tx) error {
		on := &jobs.Transcodes{DB: tx, River: transcodes.River}
		inbox.Open(on, nil)
		return f(on, &jobs.Callbacks{DB: tx, River: transcodes.River})
	})
}

// terminal says whether a person is there to be asked.
func (a *admin) terminal() bool { return terminal(a.in) }

// terminal says whether a person is at the other end of what is read or written.
func terminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// ask has a person answer in one line.
func (a *admin) ask(question string) (string, error) {
	if _, err := fmt.Fprint(a.err, question); err != nil {
		return "", fmt.Errorf("ask: %w", err)
	}
	answer, err := bufio.NewReader(a.in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read the answer: %w", err)
	}
	return strings.TrimSpace(answer), nil
}

// confirm has a person say that this is meant; without one it is refused.
func (a *admin) confirm(what string) error {
	if !a.terminal() {
		return fmt.Errorf("%s. Nobody is here to be asked whether that is meant: give --yes", what)
	}
	answer, err := a.ask(what + ". Is that meant? [y/N] ")
	if err != nil {
		return err
	}
	if answer = strings.ToLower(answer); answer != "y" && answer != "yes" {
		return errors.New("nothing was done")
	}
	return nil
}

// saying is say, of a dry run with what it was.
func (a *admin) saying(dry bool, format string, args ...any) error {
	if dry {
		format = "dry run, nothing is changed: " + format
	}
	return say(a.out, format, args...)
}

// filterUsage is that of --filter.
const filterUsage = "only these, as 'state:failed code:push_failed age<1d' (docs/admin.md)"

// same is a flag that says what a key of a filter does.
type same struct {
	flag, value string
	into        *[]string
}

// alsoFlags puts what such flags say into a filter.
func alsoFlags(flags ...same) error {
	for _, same := range flags {
		switch {
		case same.value == "":
		case len(*same.into) > 0:
			return fmt.Errorf("--%s and --filter both name it: give one of them", same.flag)
		default:
			*same.into = []string{same.value}
		}
	}
	return nil
}

// sinceFlag is --since of a list: how long ago at the most, or a time.
type sinceFlag struct {
	text   string
	within time.Duration
	at     *time.Time
}

// listed adds the flag to a list.
func (s *sinceFlag) listed(c *cobra.Command) {
	c.Flags().StringVar(&s.text, "since", "", "only as long ago at the most, as 90m, 12h, 2d; or at this time or later, as 2026-01-31T12:00:00Z")
	checked(c, func() (err error) {
		if s.within, err = filter.Duration(s.text); err == nil || s.text == "" {
			return nil
		}
		if s.at, err = parseTime("since", s.text); err != nil {
			return fmt.Errorf("--since is %q: give how long ago, as 12h, or a time as 2026-01-31T12:00:00Z", s.text)
		}
		return nil
	})
}

// from is since when at a time, by the database's clock; nil: any.
func (s *sinceFlag) from(now time.Time) *time.Time {
	if s.within > 0 {
		return new(now.Add(-s.within))
	}
	return s.at
}

// checked has check run before a command, and before what is checked already.
func checked(c *cobra.Command, check func() error) *cobra.Command {
	before := c.PreRunE
	c.PreRunE = func(c *cobra.Command, args []string) error {
		if err := check(); err != nil {
			return err
		}
		if before != nil {
			return before(c, args)
		}
		return nil
	}
	return c
}

// within refuses the number of a flag that is not from least to most.
func within[N int | int32](flag string, n, least, most N) error {
	if n < least || n > most {
		return fmt.Errorf("--%s is %d: give %d to %d", flag, n, least, most)
	}
	return nil
}

// known refuses the value of a flag that is none of all, and says what there is. "" is a
// flag that was not given.
func known(flag, value string, all []string) error {
	if value != "" && !slices.Contains(all, value) {
		return fmt.Errorf("--%s is %q: give one of %s", flag, value, strings.Join(all, ", "))
	}
	return nil
}

// offered has shells offer what a flag takes.
func offered(c *cobra.Command, flag string, all []string) {
	_ = c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(all, cobra.ShellCompDirectiveNoFileComp)) // fails where there is no such flag
}

// takesFile has shells offer files for a flag.
func takesFile(c *cobra.Command, flag string) {
	_ = c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(nil, cobra.ShellCompDirectiveDefault)) // as above
}

// given is nil for a flag that was not given.
func given(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
