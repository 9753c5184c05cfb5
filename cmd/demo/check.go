package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"weir/internal/devstack"
)

const (
	// callbackPatience is how long after the end the callback may take.
	callbackPatience = 30 * time.Second
	// durationSlack is what containers may say differently about the same
	// frames: the end of the sound, which is not a whole number of frames.
	durationSlack = 100 * time.Millisecond
)

// checkCallback waits for the terminal callback and compares it with the
// request and with what the API says.
func (d *demo) checkCallback(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, callbackPatience, fmt.Errorf("none within %s", callbackPatience))
	defer cancel()
	var err error
	if d.callback, err = d.stack.Studio.WaitAccepted(ctx, d.transcode.ID); err != nil {
		return err
	}
	if err := d.stack.Studio.Problems(); err != nil {
		return fmt.Errorf("the callbacks break Studio's contract: %w", err)
	}
	if d.callback.Status != "success" || d.callback.ExternalID != d.prefix {
		return fmt.Errorf("the callback says %s of %s, want success of %s", d.callback.Status, d.callback.ExternalID, d.prefix)
	}
	told := map[string]bool{}
	for _, output := range d.callback.Outputs {
		for _, video := range output.Videos {
			told[objectKey(video.Location, d.stack.Bucket)] = true
		}
	}
	for _, r := range d.transcode.Renditions {
		if key := objectKey(r.Location, d.stack.Bucket); !told[key] {
			return fmt.Errorf("the callback does not tell of rendition %s at %s", r.Name, r.Location)
		}
	}
	d.transcode, err = d.stack.API.Await(ctx, d.transcode.ID, func(t *devstack.Transcode) bool {
		return t.Callback != nil && t.Callback.State == "delivered"
	})
	if err != nil {
		return fmt.Errorf("the callback was accepted, but not recorded as delivered: %w", err)
	}
	if d.transcode.Callback.ID != d.callback.EventID {
		return fmt.Errorf("the callback's event is %s, the API says %s", d.callback.EventID, d.transcode.Callback.ID)
	}
	return nil
}

// checkObjects downloads every rendition, counts its frames and compares it
// with the source.
func (d *demo) checkObjects(ctx context.Context) error {
	dir, err := d.folder.Make("renditions")
	if err != nil {
		return err
	}
	d.objects = make([]object, len(d.transcode.Renditions))
	return d.clock.step("check", func() error {
		all, ctx := errgroup.WithContext(ctx)
		for i, r := range d.transcode.Renditions {
			all.Go(func() error {
				found, err := d.fetch(ctx, r, filepath.Join(dir, r.Name+filepath.Ext(r.Location)))
				if err != nil {
					return err
				}
				d.objects[i] = found
				return d.judge(found)
			})
		}
		return all.Wait()
	})
}

func (d *demo) fetch(ctx context.Context, r devstack.Rendition, local string) (object, error) {
	if err := d.stack.S3.Download(ctx, d.stack.Bucket, objectKey(r.Location, d.stack.Bucket), local); err != nil {
		return object{}, fmt.Errorf("rendition %s: %w", r.Name, err)
	}
	facts, err := devstack.Probe(ctx, local)
	if err != nil {
		return object{}, fmt.Errorf("rendition %s: %w", r.Name, err)
	}
	info, err := os.Stat(local)
	if err != nil {
		return object{}, fmt.Errorf("rendition %s: %w", r.Name, err)
	}
	return object{rendition: r, facts: facts, bytes: info.Size()}, nil
}

// judge is nil for an object that is the whole source in its own size.
func (d *demo) judge(o object) error {
	r := o.rendition
	switch {
	case r.State != "ok":
		return fmt.Errorf("rendition %s is %s, not ok", r.Name, r.State)
	case o.facts.Frames != d.facts.Frames:
		return fmt.Errorf("rendition %s has %d frames, the source %d", r.Name, o.facts.Frames, d.facts.Frames)
	case o.facts.Width != r.Width || o.facts.Height != r.Height:
		return fmt.Errorf("rendition %s is %dx%d, planned were %dx%d", r.Name, o.facts.Width, o.facts.Height, r.Width, r.Height)
	case o.bytes != r.Bytes:
		return fmt.Errorf("rendition %s has %d bytes, the API says %d", r.Name, o.bytes, r.Bytes)
	case o.facts.Audio != d.facts.Audio:
		return fmt.Errorf("rendition %s: sound %t, in the source %t", r.Name, o.facts.Audio, d.facts.Audio)
	case (o.facts.Duration - d.facts.Duration).Abs() > durationSlack+d.facts.Duration/time.Duration(d.facts.Frames):
		return fmt.Errorf("rendition %s lasts %s, the source %s", r.Name, o.facts.Duration, d.facts.Duration)
	}
	return nil
}

// checkClean waits until nothing of the run is left but its objects.
func (d *demo) checkClean(ctx context.Context) error {
	return d.clock.step("clean", func() error {
		ctx, cancel := context.WithTimeout(ctx, cleanGrace)
		defer cancel()
		var err error
		if d.left, err = d.stack.AwaitClean(ctx); err != nil {
			return err
		}
		if len(d.left) > 0 {
			return fmt.Errorf("left behind %s after the end: %s", cleanGrace, strings.Join(d.left, "; "))
		}
		return nil
	})
}

// objectKey is the key in a location of any form: s3://bucket/key, or
// scheme://host/bucket/key.
func objectKey(location, bucket string) string {
	u, err := url.Parse(location)
	if err != nil {
		return ""
	}
	key := strings.TrimPrefix(u.Path, "/")
	if u.Host == bucket {
		return key
	}
	return strings.TrimPrefix(key, bucket+"/")
}
