package main

import (
	"cmp"
	"context"
	"log/slog"
	"os"

	"weir/internal/devstack"
)

// studioListen is the receiver's address in the compose file.
const studioListen = ":8090"

// studio receives callbacks until ctx ends.
func studio(ctx context.Context) error {
	receiver, err := devstack.StartStudio(ctx, &devstack.StudioConfig{
		Listen: cmp.Or(os.Getenv("WEIR_DEMO_STUDIO_LISTEN"), studioListen),
		Log:    slog.New(slog.NewTextHandler(os.Stdout, nil)),
	})
	if err != nil {
		return err
	}
	<-ctx.Done()
	return receiver.Close()
}
