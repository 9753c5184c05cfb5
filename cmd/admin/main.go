// Command weir-admin is the operators' command line: it lists and explains what
// is in the database, and cancels, retries and redelivers. It speaks SQL alone and
// works while no daemon is up. docs/admin.md lists its commands.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/spf13/pflag"
)

// The exit codes, a contract with scripts.
const (
	exitOK     = 0
	exitFailed = 1
	// exitUsage: the command line is wrong; nothing was done.
	exitUsage = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	for _, name := range elsewhere() {
		_ = os.Unsetenv(name)
	}
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Environ())
	stop()
	os.Exit(code)
}

// elsewhere are libpq's variables that name a database. They fill what an address
// leaves out, and a command would then act on another database than the one that
// it was given. Those for passwords and certificates stay.
func elsewhere() []string {
	return []string{"PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGUSER", "PGSERVICE", "PGSERVICEFILE", "PGOPTIONS", "PGTARGETSESSIONATTRS"}
}

// run does one command and returns the exit code. environ is as of os.Environ.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, environ []string) int {
	a := &admin{in: stdin, out: stdout, err: stderr, environ: environ}
	root := a.root()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	a.close()
	if err == nil {
		return exitOK
	}
	code := exitUsage
	if _, ours := err.(*failure); ours { //nolint:errorlint // act returns it unwrapped
		code = exitFailed
	}
	said := spoken(err)
	if refused, is := errors.AsType[*pgconn.ConnectError](err); is && refused != nil {
		said = a.named + ": " + said
	}
	_, _ = fmt.Fprintln(stderr, "weir-admin:", said)
	return code
}

// spoken is what an error says in one line. Of a flag's value that Go can't parse, pflag would
// say what Go's parser says.
func spoken(err error) string {
	wrong, ofFlag := errors.AsType[*pflag.InvalidValueError](err)
	if _, unparsed := errors.AsType[*strconv.NumError](err); !ofFlag || !unparsed {
		return oneLine(err.Error())
	}
	give := "a number"
	switch {
	case wrong.GetFlag().Value.Type() == "bool":
		give = "true or false"
	case errors.Is(err, strconv.ErrRange):
		give = "a smaller number"
	}
	return fmt.Sprintf("--%s is %q: give %s", wrong.GetFlag().Name, wrong.GetValue(), give)
}

// oneLine joins the lines of what an error says, each once: a driver says of both of its tries
// the same.
func oneLine(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	said := ""
	for _, line := range lines {
		switch {
		case said == "":
		case strings.HasSuffix(said, ":"), strings.HasSuffix(said, "?"):
			said += " "
		default:
			said += "; "
		}
		said += line
	}
	return said
}
