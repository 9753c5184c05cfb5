package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"weir/internal/devstack"
	"weir/secret"
	"weir/web/login"
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

	folder    *devstack.Folder
	stack     *devstack.Stack
	source    string         // a local file
	facts     devstack.Facts // of the source, by our own count
	prefix    string         // of this run's objects in the bucket
	deadline  time.Time
	transcode *devstack.Transcode
	okAt      map[string]time.Time // by rendition
	callback  devstack.Callback
	objects   []object
	player    *devstack.Player // with HLS=1
	played    []string         // what it plays
	left      []string
	// token lets demoUser into the pages, with KEEP=1.
	token secret.Secret
}

// demoUser may change things on the pages of a demo that is kept.
const demoUser = "demo"

// object is a rendition as it was found in S3.
type object struct {
	rendition devstack.Rendition
	facts     devstack.Facts
	bytes     int64
}

func (d *demo) sayf(format string, args ...any) {
	fmt.Fprintf(d.out, "demo: "+format+"\n", args...)
}

// prepareSource makes or gets the source and counts its frames. It comes first:
// a source that is no video needs no stack.
func (d *demo) prepareSource(ctx context.Context) error {
	var err error
	if d.folder, err = devstack.NewFolder(); err != nil {
		return err
	}
	dir, err := d.folder.Make("source")
	if err != nil {
		return err
	}
	if err := d.clock.step("source", func() error {
		if d.source, err = localSource(ctx, d.opts.source, dir); err != nil {
			return err
		}
		d.facts, err = devstack.Probe(ctx, d.source)
		return err
	}); err != nil {
		return err
	}
	d.sayf("source: %dx%d, %d frames, %.1f s%s", d.facts.Width, d.facts.Height, d.facts.Frames, d.facts.Duration.Seconds(),
		map[bool]string{true: ", with sound"}[d.facts.Audio])
	return nil
}

// start starts the stack.
func (d *demo) start(ctx context.Context) error {
	settings := map[string]string{}
	if d.opts.keep {
		token, user, err := login.Make(demoUser, login.Operator)
		if err != nil {
			return err
		}
		d.token, settings["WEIR_WEB_USERS"] = token, user
	}
	stack, err := devstack.Start(ctx, &devstack.Config{
		Settings: settings,
		Folder:   d.folder, BinDir: d.opts.binDir, Database: d.opts.database, S3: d.opts.s3, Bucket: d.opts.bucket,
		Mist: d.opts.mist, Broadcasters: d.opts.broadcasters, APIListen: d.opts.apiListen, Started: d.clock.note,
	})
	if err != nil {
		return err
	}
	d.stack = stack
	d.sayf("started: %s", d.clock)
	return nil
}

// submit uploads the source and posts the request.
func (d *demo) submit(ctx context.Context) error {
	d.prefix = "demo-" + strings.ToLower(rand.Text()[:nameLength])
	d.deadline = time.Now().Add(runBase + runPerMedia*d.facts.Duration)
	var source secret.Secret
	err := d.clock.step("upload", func() (err error) {
		source, err = d.stack.Upload(ctx, d.source, path.Join(d.prefix, "source"+filepath.Ext(d.source)))
		return err
	})
	if err != nil {
		return err
	}
	output, err := d.stack.S3.URL(d.stack.Bucket, path.Join(d.prefix, "out"))
	if err != nil {
		return err
	}
	d.transcode, err = d.stack.API.Submit(ctx, &devstack.Request{
		ExternalID: d.prefix, Source: devstack.Location{URL: string(source)}, Output: devstack.Location{URL: string(output)},
		CallbackURL: d.stack.Studio.URL + d.prefix, Profiles: ladder(d.facts.Width, d.facts.Height), Outputs: d.asked(),
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
	var errs []error
	if d.player != nil {
		errs = append(errs, d.player.Close())
	}
	if d.stack != nil {
		errs = append(errs, d.stack.Close())
	}
	if d.folder != nil {
		errs = append(errs, d.folder.Close())
	}
	return errors.Join(errs...)
}
