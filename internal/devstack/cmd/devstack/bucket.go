package main

import (
	"context"
	"errors"
	"os"

	"weir/internal/devstack"
)

// bucket makes the bucket of the demo's S3 server, if it is not there.
func bucket(ctx context.Context) error {
	server, name, err := devstack.S3FromEnvironment(os.Getenv)
	if err != nil {
		return err
	}
	if server == nil {
		return errors.New("no S3 server: set WEIR_DEMO_S3_ENDPOINT")
	}
	return server.MakeBucket(ctx, name)
}
