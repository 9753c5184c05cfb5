// Package buildinfo says which build a program is.
package buildinfo

import (
	"runtime"
	"runtime/debug"
	"time"
)

// version is set by the Makefile (-ldflags -X) to what git describe says.
var version string

// shortCommit names a commit in one repository.
const shortCommit = 12

// dev is the version of a build that nobody named and that holds no commit.
const dev = "dev"

// Info is one build.
type Info struct {
	// Version is what git describe said, or the short commit; "dev" where neither is known.
	Version string
	// Commit is the whole one and CommittedAt its time; empty and zero where unknown.
	Commit      string
	CommittedAt time.Time
	// Modified: it was built from files that were not committed.
	Modified bool
	// Go is the compiler's version, Platform as linux/amd64.
	Go, Platform string
}

// Read returns the running program's build.
func Read() Info {
	build, _ := debug.ReadBuildInfo() // none: a build without modules
	return from(version, build)
}

// Version is the running program's version.
func Version() string { return Read().Version }

func from(named string, build *debug.BuildInfo) Info {
	info := Info{Version: named, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if build != nil {
		for _, setting := range build.Settings {
			switch setting.Key {
			case "vcs.revision":
				info.Commit = setting.Value
			case "vcs.time":
				info.CommittedAt, _ = time.Parse(time.RFC3339, setting.Value) // else it stays zero
			case "vcs.modified":
				info.Modified = setting.Value == "true"
			}
		}
	}
	if info.Version == "" {
		info.Version = info.Commit[:min(len(info.Commit), shortCommit)]
	}
	if info.Version == "" {
		info.Version = dev
	}
	return info
}

// String is one line for people.
func (i Info) String() string {
	text := i.Version + " (" + i.Go + ", " + i.Platform
	if i.Commit != "" {
		text += ", commit " + i.Commit[:min(len(i.Commit), shortCommit)]
	}
	if !i.CommittedAt.IsZero() {
		text += " of " + i.CommittedAt.UTC().Format(time.DateTime)
	}
	if i.Modified {
		text += ", with changes that are in no commit"
	}
	return text + ")"
}
