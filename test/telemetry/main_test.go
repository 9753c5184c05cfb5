// Package telemetry looks at a running stack as those who operate it do: by its traces, its
// log, and a Prometheus that scrapes it.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"weir/internal/devstack"
)

const (
	// patience is for a stack and a small transcode on busy cores.
	patience = 5 * time.Minute
	// clipLength is some segments.
	clipLength = 4 * time.Second
)

// observed is a stack on which one transcode has gone through both daemons.
type observed struct {
	*devstack.Stack

	traces *receiver
	// transcode has succeeded, and its callback was delivered.
	transcode string
}

// shared is what all tests look at.
var shared = sync.OnceValues(func() (*observed, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cfg, err := devstack.FromEnvironment(os.Getenv)
	if err != nil {
		return nil, err
	}
	o := &observed{traces: startReceiver()}
	cfg.Hosts = 2
	cfg.Settings = map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT": o.traces.URL, "OTEL_BSP_SCHEDULE_DELAY": "100", "WEIR_LOG_LEVEL": "debug", "WEIR_LOG_FORMAT": "json",
	}
	if o.Stack, err = devstack.Start(ctx, cfg); err != nil {
		o.traces.Close()
		return nil, err
	}
	if err := o.run(ctx); err != nil {
		for _, daemon := range o.Daemons {
			err = fmt.Errorf("%w\n%s", err, daemon.Tail())
		}
		return nil, errors.Join(err, o.Close())
	}
	return o, nil
})

// run has a transcode accepted by the first daemon and worked by the second.
func (o *observed) run(ctx context.Context) error {
	for _, part := range []func(context.Context) error{o.drainFirst, o.submit} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	_, err := o.Studio.WaitAccepted(ctx, o.transcode)
	return err
}

func (o *observed) drainFirst(ctx context.Context) error {
	_, err := o.Admin(ctx, "hosts", "drain", hostOf(0), "--reason", "the other one is looked at")
	return err
}

// hostOf is the id of a stack's host.
func hostOf(number int) string { return fmt.Sprintf("host-%d", number+1) }

// submit has the transcode accepted that all tests look at.
func (o *observed) submit(ctx context.Context) (err error) {
	o.transcode, err = o.ask(ctx)
	return err
}

// submitAnother has one more go through.
func (o *observed) submitAnother(ctx context.Context) error {
	id, err := o.ask(ctx)
	if err != nil {
		return err
	}
	_, err = o.Studio.WaitAccepted(ctx, id)
	return err
}

// ask asks for a small transcode.
func (o *observed) ask(ctx context.Context) (id string, err error) {
	folder, err := os.MkdirTemp("", "weir-telemetry-")
	if err != nil {
		return "", fmt.Errorf("make a folder: %w", err)
	}
	defer os.RemoveAll(folder)
	clip := filepath.Join(folder, "source.mp4")
	if err := devstack.MakeClip(ctx, clip, devstack.Clip{Width: 320, Height: 180, Duration: clipLength}); err != nil {
		return "", err
	}
	source, err := o.Upload(ctx, clip, "telemetry/source.mp4")
	if err != nil {
		return "", err
	}
	output, err := o.S3.URL(o.Bucket, "telemetry/out")
	if err != nil {
		return "", err
	}
	transcode, err := o.API.Submit(ctx, &devstack.Request{
		Source: devstack.Location{URL: string(source)}, Output: devstack.Location{URL: string(output)}, CallbackURL: o.Studio.URL + "telemetry",
		Profiles: []devstack.Profile{{Name: "small", Width: 160, Height: 90, Bitrate: 200_000}},
		Outputs:  []devstack.Wanted{{Type: "mp4"}},
	})
	if err != nil {
		return "", err
	}
	return transcode.ID, nil
}

func (o *observed) Close() error {
	err := o.Stack.Close()
	o.traces.Close()
	return err
}

func TestMain(m *testing.M) {
	o, err := shared()
	if err != nil {
		fmt.Fprintln(os.Stderr, "telemetry:", err)
		os.Exit(1)
	}
	code := m.Run()
	if err := o.Close(); err != nil {
		fmt.Fprintln(os.Stderr, "telemetry:", err)
		code = 1
	}
	os.Exit(code)
}
