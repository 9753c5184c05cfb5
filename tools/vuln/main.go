// Command vuln is what govulncheck lacks for `make vulncheck`.
//
// vuln index FOLDER DATABASE makes a database that it can read of a folder of advisories,
// as module golang.org/x/vulndb has them in data/osv: vuln.go.dev can't be reached from
// everywhere, the modules' proxy can. vuln judge reads what `govulncheck -format json`
// says: it fails by what our code calls of other modules, and tells of what it calls of
// the standard library, which a newer Go mends and no commit of ours.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/mod/semver"
)

// advisory is what the index needs of one.
type advisory struct {
	ID       string    `json:"id"`
	Modified time.Time `json:"modified"`
	Aliases  []string  `json:"aliases"`
	Affected []struct {
		Package struct {
			Name string `json:"name"`
		} `json:"package"`
		Ranges []struct {
			Events []struct {
				Fixed string `json:"fixed"`
			} `json:"events"`
		} `json:"ranges"`
	} `json:"affected"`
}

// The files of an index, as https://go.dev/doc/security/vuln/database says.
type (
	database struct {
		Modified time.Time `json:"modified"`
	}
	module struct {
		Path  string       `json:"path"`
		Vulns []moduleVuln `json:"vulns"`
	}
	moduleVuln struct {
		ID       string    `json:"id"`
		Modified time.Time `json:"modified"`
		Fixed    string    `json:"fixed,omitempty"`
	}
	vuln struct {
		ID       string    `json:"id"`
		Modified time.Time `json:"modified"`
		Aliases  []string  `json:"aliases,omitempty"`
	}
)

func main() {
	var err error
	switch args := os.Args[1:]; {
	case len(args) == 3 && args[0] == "index":
		err = write(args[1], args[2])
	case len(args) == 1 && args[0] == "judge":
		err = judge(os.Stdin, os.Stdout)
	default:
		fmt.Fprintln(os.Stderr, "vuln: give index FOLDER DATABASE, or judge")
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "vuln:", err)
		os.Exit(1)
	}
}

func write(from, to string) error {
	files, err := filepath.Glob(filepath.Join(from, "GO-*.json"))
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return fmt.Errorf("%s holds no advisory", from)
	}
	for _, folder := range []string{"ID", "index"} {
		if err := os.MkdirAll(filepath.Join(to, folder), 0o755); err != nil {
			return err
		}
	}
	var newest database
	var vulns []vuln
	modules := map[string][]moduleVuln{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		var a advisory
		if err := json.Unmarshal(text, &a); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if err := os.WriteFile(filepath.Join(to, "ID", a.ID+".json"), text, 0o644); err != nil {
			return err
		}
		if a.Modified.After(newest.Modified) {
			newest.Modified = a.Modified
		}
		vulns = append(vulns, vuln{a.ID, a.Modified, a.Aliases})
		for path, fixed := range a.fixed() {
			modules[path] = append(modules[path], moduleVuln{a.ID, a.Modified, fixed})
		}
	}
	var all []module
	for path, of := range modules {
		all = append(all, module{path, of})
	}
	slices.SortFunc(all, func(a, b module) int {
		if a.Path < b.Path {
			return -1
		}
		return 1
	})
	for name, value := range map[string]any{"db": newest, "modules": all, "vulns": vulns} {
		text, err := json.Marshal(value)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(to, "index", name+".json"), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// fixed is the newest version, of each module, that mends it; "" where none does.
func (a *advisory) fixed() map[string]string {
	versions := map[string]string{}
	for _, affected := range a.Affected {
		path := affected.Package.Name
		for _, r := range affected.Ranges {
			for _, e := range r.Events {
				if e.Fixed != "" && semver.Compare("v"+e.Fixed, "v"+versions[path]) > 0 {
					versions[path] = e.Fixed
				}
			}
		}
		if _, known := versions[path]; !known {
			versions[path] = ""
		}
	}
	return versions
}
