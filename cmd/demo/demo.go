package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"weir/config"
	"weir/internal/devstack"
)

const (
	// runBase and runPerMedia bound the run: a hang is a failure. On 2 cores the
	// 20 s clip takes 10 s; a shared machine may be ten times as slow.
	runBase     = 3 * time.Minute
	runPerMedia = 5
	// nameLength is enough of a random text (5 bits a letter) to meet no other run.
	nameLength = 10
	// cleanGrace is how long Weir may go on tidying after the end.
	cleanGrace = 20 * time.Second
)

// demo is one run.
type demo struct {
	opts  *options
	out   *os.File
	clock *clock

	stack     *devstack.Stack
	facts     devstack.Facts // of the source, by our own count
	sourceURL config.Secret
	prefix    string // of this run's objects in the bucket
	deadline  time.Time
	transcode *devstack.Transcode
	okAt      map[string]time.Time // by rendition
	callback  devstack.Callback
	objects   []object
	left      []string
}

// object is a rendition as it was found in S3.
type object struct {
	rendition devstack.Rendition
	facts     devstack.Facts
	bytes     int64
}

func (d *demo) sayf(format string, args ...any) {
	fmt.Fprintf(d.out, "demo: "+format+"\n", args...)
}

// start starts the stack.
func (d *demo) start(ctx context.Context) error {
	stack, err := devstack.Start(ctx, &devstack.Config{
		BinDir: d.opts.binDir, Database: d.opts.database, S3: d.opts.s3, Bucket: d.opts.bucket,
		APIListen: d.opts.apiListen, Started: d.clock.note,
	})
	if err != nil {
		return err
	}
	d.stack = stack
	d.sayf("started: %s", d.clock)
	return nil
}

// prepareSource makes or gets the source, counts its frames and uploads it.
func (d *demo) prepareSource(ctx context.Context) error {
	dir, err := d.stack.Folder.Make("source")
	if err != nil {
		return err
	}
	var local string
	if err := d.clock.step("source", func() error {
		if local, err = localSource(ctx, d.opts.source, dir); err != nil {
			return err
		}
		d.facts, err = devstack.Probe(ctx, local)
		return err
	}); err != nil {
		return err
	}
	d.prefix = "demo-" + strings.ToLower(rand.Text()[:nameLength])
	if err := d.clock.step("upload", func() error {
		d.sourceURL, err = d.stack.Upload(ctx, local, path.Join(d.prefix, "source"+filepath.Ext(local)))
		return err
	}); err != nil {
		return err
	}
	d.deadline = time.Now().Add(runBase + runPerMedia*d.facts.Duration)
	d.sayf("source: %dx%d, %d frames, %.1f s%s", d.facts.Width, d.facts.Height, d.facts.Frames, d.facts.Duration.Seconds(),
		map[bool]string{true: ", with sound"}[d.facts.Audio])
	return nil
}

// submit posts the request.
func (d *demo) submit(ctx context.Context) error {
	output, err := d.stack.S3.URL(d.stack.Bucket, path.Join(d.prefix, "out"))
	if err != nil {
		return err
	}
	d.transcode, err = d.stack.API.Submit(ctx, &devstack.Request{
		ExternalID: d.prefix, Source: devstack.Location{URL: string(d.sourceURL)}, Output: devstack.Location{URL: string(output)},
		CallbackURL: d.stack.Studio.URL + d.prefix, Profiles: ladder(d.facts.Width, d.facts.Height),
	})
	if err != nil {
		return err
	}
	d.sayf("accepted: transcode %s", d.transcode.ID)
	return nil
}

// explain adds to a failure what the daemon said last, where it has said
// anything.
func (d *demo) explain(err error) error {
	if d.stack == nil || d.transcode == nil {
		return err
	}
	daemon := d.stack.Daemons[0]
	if dead := daemon.Alive(); dead != nil {
		return fmt.Errorf("%w\n%w", err, dead)
	}
	return fmt.Errorf("%w\nthe daemon's log ends:\n%s", err, daemon.Tail())
}

// close ends everything.
func (d *demo) close() error {
	if d.stack == nil {
		return nil
	}
	return d.stack.Close()
}
