package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"weir/config"
	"weir/config/buildinfo"
	"weir/db/migrations"
	"weir/secret"
	"weir/storage/dial"
)

// settingList is the JSON of config print.
type settingList struct {
	File     *string        `json:"file"`
	Settings []settingShown `json:"settings"`
}

// settingShown is a setting and where its value comes from.
type settingShown struct {
	Name     string        `json:"name"`
	Value    string        `json:"value"`
	From     config.Origin `json:"from"`
	Shadowed bool          `json:"shadowed"`
	Reload   bool          `json:"reload"`
}

// configChecked is the JSON of config check.
type configChecked struct {
	File *string `json:"file"`
	Well bool    `json:"well"`
}

func (a *admin) config() *cobra.Command {
	return group("config", "The settings of a daemon on this machine", a.configCheck(), a.configPrint())
}

func (a *admin) configCheck() *cobra.Command {
	return &cobra.Command{
		Use: "check", Short: "Say whether a daemon could start with these settings", Args: asUsed,
		RunE: act(func(context.Context, []string) error {
			from, err := config.Read(a.environ, a.daemonFile())
			if err != nil {
				return err
			}
			cfg, err := from.Load()
			if err != nil {
				return err
			}
			_, keys := secret.ParseKeys(string(cfg.SecretKey))
			_, networks := dial.ParseNetworks(cfg.AllowedNetworks)
			if networks != nil {
				networks = fmt.Errorf("WEIR_ALLOWED_NETWORKS: %w", networks)
			}
			if err := errors.Join(keys, networks); err != nil {
				return err
			}
			return a.print(configChecked{given(from.File), true}, func() error { return say(a.out, "the settings are well") })
		}),
	}
}

func (a *admin) configPrint() *cobra.Command {
	return &cobra.Command{
		Use: "print", Short: "Show all settings and where each value comes from, without secrets", Args: asUsed,
		RunE: act(func(context.Context, []string) error {
			from, err := config.Read(a.environ, a.daemonFile())
			if err != nil {
				return err
			}
			list := settingList{File: given(from.File), Settings: []settingShown{}}
			var lines [][]any
			for _, value := range from.Values() {
				list.Settings = append(list.Settings, settingShown{value.Name, value.Shown, value.Origin, value.Shadowed, value.Reload})
				where := string(value.Origin)
				if value.Shadowed {
					where += ", the file says otherwise"
				}
				lines = append(lines, []any{value.Name, value.Shown, where})
			}
			return a.print(list, func() error { return a.table("NAME VALUE FROM", lines) })
		}),
	}
}

// daemonFile is the file that a daemon of this machine reads: the one that is named, else
// the package's where it is there.
func (a *admin) daemonFile() string {
	if a.configFile != "" || a.variable(config.FileVariable) != "" {
		return a.configFile
	}
	if _, err := os.Stat(config.DefaultFile); err != nil {
		return ""
	}
	return config.DefaultFile
}

// setting is one of the daemons' settings, of the environment or else of the file, with
// the words to name it by. The package's file counts only where nothing else names a
// database: its keys are those of its own.
func (a *admin) setting(name string) (value, as string, err error) {
	if value := a.variable(name); value != "" {
		return value, name, nil
	}
	file := a.configFile
	if a.databaseURL == "" && a.variable(databaseEnv) == "" {
		file = a.daemonFile()
	}
	given, err := config.Read(a.environ, file)
	if err != nil {
		return "", "", err
	}
	return given.Lookup(name), name + " of " + given.File, nil
}

// build is the JSON of version.
type build struct {
	Version     string     `json:"version"`
	Commit      *string    `json:"commit"`
	CommittedAt *time.Time `json:"committed_at"`
	Modified    bool       `json:"modified"`
	Go          string     `json:"go"`
	Platform    string     `json:"platform"`
	Schema      int        `json:"schema"`
}

func (a *admin) version() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Say which build this is, and which schema it was built for", Args: asUsed,
		RunE: act(func(context.Context, []string) error {
			info := buildinfo.Read()
			shown := build{
				Version: info.Version, Commit: given(info.Commit), Modified: info.Modified,
				Go: info.Go, Platform: info.Platform, Schema: migrations.Latest,
			}
			if !info.CommittedAt.IsZero() {
				shown.CommittedAt = &info.CommittedAt
			}
			return a.print(shown, func() error { return say(a.out, "weir-admin %s, schema %d", info, migrations.Latest) })
		}),
	}
}
