// Command daemon is Weir's service: the API, the trigger listener and the workers
// in one program. Its settings are its environment and a file (docs/settings.md).
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"weir/cmd/daemon/systemd"
	"weir/config"
	"weir/config/buildinfo"
)

const (
	// exitUsage: the command line is wrong. A panic ends a Go program with it, too.
	exitUsage = 2
	// exitSettings is sysexits' EX_CONFIG: settings are wrong, and starting again helps
	// nothing. The unit's RestartPreventExitStatus says the same.
	exitSettings = 78
)

func main() {
	os.Exit(program(os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}

// settingsError is what starting again does not mend.
type settingsError struct{ err error }

func (e *settingsError) Error() string { return e.err.Error() }
func (e *settingsError) Unwrap() error { return e.err }

// failed is an error of a daemon that had its settings.
type failed struct{ err error }

func (e *failed) Error() string { return e.err.Error() }
func (e *failed) Unwrap() error { return e.err }

// program does what the command line says, and returns the exit code.
func program(args, environ []string, stdout, stderr io.Writer) int {
	root := commands(environ, stdout, stderr)
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.Execute()
	if err == nil || errors.Is(err, context.Canceled) {
		return 0
	}
	_, _ = fmt.Fprintln(stderr, "weir-daemon:", strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", "; "))
	var settings *settingsError
	var ran *failed
	switch {
	case errors.As(err, &settings):
		return exitSettings
	case errors.As(err, &ran):
		return 1
	}
	return exitUsage
}

func commands(environ []string, stdout, stderr io.Writer) *cobra.Command {
	var file string
	given := func() (*config.Given, error) { return config.Read(environ, file) }
	root := &cobra.Command{
		Use: "weir-daemon", Short: "Run Weir's service on this machine", Args: cobra.NoArgs,
		Long: "Run Weir's service on this machine: the API, the placement and, beside a MistServer, the work.\n\n" +
			"Its settings are variables of the environment, and lines of a file (docs/settings.md). SIGTERM drains and ends it, " +
			"a second one cuts; SIGHUP reads the file again.",
		Version:       buildinfo.Read().String(),
		SilenceErrors: true, SilenceUsage: true,
		RunE: func(*cobra.Command, []string) error { return serve(given, stderr) },
	}
	root.SetVersionTemplate("weir-daemon {{.Version}}\n")
	root.PersistentFlags().StringVar(&file, "config", "", "`FILE` of settings, NAME=VALUE a line; $"+config.FileVariable+" where it is not given")
	check := &cobra.Command{
		Use: "check", Short: "Say whether a daemon would start with these settings", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			from, err := given()
			if err != nil {
				return &settingsError{err}
			}
			cfg, err := from.Load()
			if err == nil {
				_, err = read(cfg)
			}
			if err != nil {
				return &settingsError{err}
			}
			_, err = fmt.Fprintln(stdout, "the settings are well")
			return err
		},
	}
	ofConfig := &cobra.Command{Use: "config", Short: "The daemon's settings", Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error {
		return errors.New("weir-daemon config needs one of: check")
	}}
	ofConfig.AddCommand(check)
	root.AddCommand(ofConfig, doctorCommand(given, stdout), &cobra.Command{
		Use: "version", Short: "Say which build this is", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(stdout, "weir-daemon", buildinfo.Read())
			return err
		},
	})
	return root
}

// serve runs the daemon until a signal ends it.
func serve(given func() (*config.Given, error), logs io.Writer) error {
	// From here on it is no death: before the first settings are read there is nothing to read again.
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	load := func() (*config.Config, error) {
		from, err := given()
		if err != nil {
			return nil, err
		}
		return from.Load()
	}
	cfg, err := load()
	if err != nil {
		return &settingsError{err}
	}
	service, err := systemd.Open(os.Getenv, os.Unsetenv)
	if err != nil {
		return &failed{err}
	}
	defer func() { _ = service.Close() }()
	if err := run(untilSignal(), cfg, &surroundings{logs: logs, service: service, hangups: hangups, load: load}); err != nil {
		var wrong *settingsError
		if errors.As(err, &wrong) || errors.Is(err, context.Canceled) {
			return err
		}
		return &failed{err}
	}
	return nil
}

// untilSignal ends with the first signal, for a soft stop; the second one cuts.
func untilSignal() context.Context {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	context.AfterFunc(ctx, stop)
	return ctx
}
