// Package migrations holds Weir's schema as golang-migrate pairs, River's
// tables included, embedded in every binary.
package migrations

import (
	"embed"
	"fmt"
	"strings"

	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

// FS holds the numbered up and down files.
//
//go:embed *.sql
var FS embed.FS

// Latest is the version of the schema that this build was written for: the
// number of the newest migration. A test holds it to the files.
const Latest = 88

// Oldest is the oldest schema that this build works on. Which are the newest ones, they
// say themselves (table schema_compat).
const Oldest = Latest

// Schema is where all of Weir's tables live, River's too, so that Studio may
// share the database.
const Schema = "weir"

// riverFirst is River's first version that we apply: version 1 is only the
// bookkeeping of River's own migrator.
const riverFirst = 2

// RiverFiles returns River's migrations as golang-migrate files, by name. River's
// version is the migration's number.
func RiverFiles() (map[string]string, error) {
	migrator, err := rivermigrate.New(riverpgxv5.New(nil), nil)
	if err != nil {
		return nil, fmt.Errorf("open River's migrations: %w", err)
	}
	files := map[string]string{}
	for _, version := range migrator.AllVersions() {
		if version.Version < riverFirst {
			continue
		}
		base := fmt.Sprintf("%06d_river_v%d", version.Version, version.Version)
		files[base+".up.sql"] = inSchema(version.SQLUp)
		files[base+".down.sql"] = inSchema(version.SQLDown)
	}
	return files, nil
}

func inSchema(text string) string {
	return strings.TrimSpace(strings.ReplaceAll(text, "/* TEMPLATE: schema */", Schema+".")) + "\n"
}
