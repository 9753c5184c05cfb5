// Command rivergen writes River's own migrations as golang-migrate pairs, one
// file per River version: in one file Postgres refuses them (55P04, version 6
// uses the enum value that version 4 adds).
//
// It is run by `make generate`; a test compares the files with the pinned River.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"weir/db/migrations"
)

func main() {
	if err := run(os.Args); err != nil {
		fmt.Fprintln(os.Stderr, "rivergen:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("usage: rivergen DIR (the folder of the migrations)")
	}
	files, err := migrations.RiverFiles()
	if err != nil {
		return err
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(args[1], name), []byte(text), 0o644); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	return nil
}
