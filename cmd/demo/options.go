package main

import (
	"fmt"
	"os"
	"path/filepath"

	"weir/internal/devstack"
	"weir/secret"
)

// options are the demo's, from its environment.
type options struct {
	source    string
	keep      bool
	hls       bool // ask for outputs too
	database  secret.Secret
	s3        *devstack.S3 // nil: a private one of the stack
	bucket    string
	apiListen string
	binDir    string
	// mist and broadcasters are real ones; nil: stand-ins.
	mist         *devstack.MistHost
	broadcasters []string
}

// readOptions fails with one line that names the variable.
func readOptions(getenv func(string) string) (*options, error) {
	o := &options{
		source: getenv("SOURCE"), database: secret.Secret(getenv("WEIR_DATABASE_URL")),
		apiListen: getenv("WEIR_API_LISTEN"), binDir: getenv(devstack.BinDirVariable),
	}
	for name, is := range map[string]*bool{"KEEP": &o.keep, "HLS": &o.hls} {
		switch given := getenv(name); given {
		case "", "0":
		case "1":
			*is = true
		default:
			return nil, fmt.Errorf("%s=%s: give 1 or nothing", name, given)
		}
	}
	if o.binDir == "" {
		self, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("find my own folder: %w", err)
		}
		o.binDir = filepath.Dir(self)
	}
	var err error
	if o.s3, o.bucket, err = devstack.S3FromEnvironment(getenv); err != nil {
		return nil, err
	}
	if o.mist, o.broadcasters, err = devstack.MistFromEnvironment("WEIR_DEMO_", getenv); err != nil {
		return nil, err
	}
	return o, nil
}
