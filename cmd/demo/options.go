package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"weir/config"
	"weir/internal/devstack"
)

// options are the demo's, from its environment.
type options struct {
	source    string
	keep      bool
	database  config.Secret
	s3        *devstack.S3 // nil: a private one
	bucket    string
	apiListen string
	binDir    string
}

// s3Variable is the common start of the variables for an S3 server.
const s3Variable = "WEIR_DEMO_S3_"

// readOptions fails with one line that names the variable.
func readOptions(getenv func(string) string) (*options, error) {
	o := &options{
		source: getenv("SOURCE"), database: config.Secret(getenv("WEIR_DATABASE_URL")),
		apiListen: getenv("WEIR_API_LISTEN"), binDir: getenv(devstack.BinDirVariable),
	}
	switch keep := getenv("KEEP"); keep {
	case "", "0":
	case "1":
		o.keep = true
	default:
		return nil, fmt.Errorf("KEEP=%s: give 1 or nothing", keep)
	}
	if o.binDir == "" {
		self, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("find my own folder: %w", err)
		}
		o.binDir = filepath.Dir(self)
	}
	endpoint := getenv(s3Variable + "ENDPOINT")
	if endpoint == "" {
		return o, nil
	}
	o.bucket = getenv(s3Variable + "BUCKET")
	o.s3 = &devstack.S3{
		Endpoint: endpoint, Region: getenv(s3Variable + "REGION"),
		AccessKey: getenv(s3Variable + "ACCESS_KEY"), SecretKey: config.Secret(getenv(s3Variable + "SECRET_KEY")),
	}
	if o.s3.Region == "" {
		o.s3.Region = "us-east-1" // what servers without regions go by
	}
	if o.s3.AccessKey == "" || o.s3.SecretKey == "" || o.bucket == "" {
		return nil, errors.New(s3Variable + "ENDPOINT needs " + s3Variable + "ACCESS_KEY, " + s3Variable + "SECRET_KEY and " + s3Variable + "BUCKET beside it")
	}
	return o, nil
}
