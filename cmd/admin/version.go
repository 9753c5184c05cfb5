package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"weir/config/buildinfo"
	"weir/db/migrations"
)

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
		Use: "version", Short: "Say which build this is, and which schema it was built for", Args: cobra.NoArgs,
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
