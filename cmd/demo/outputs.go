package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"weir/internal/devstack"
)

// demoSegment is short, as the clip is: a player has to fetch several.
const demoSegment = 4 * time.Second

// asked is what HLS=1 asks for, beside the renditions' own files.
func (d *demo) asked() []devstack.Wanted {
	if !d.opts.hls {
		return nil
	}
	seconds := int(demoSegment.Seconds())
	return []devstack.Wanted{
		{Type: "ts"}, {Type: "hls", SegmentSeconds: seconds}, {Type: "mp4"}, {Type: "thumbnails", SegmentSeconds: seconds},
	}
}

// checkOutputs has what players find played to its end: by HTTP, as a browser gets it.
func (d *demo) checkOutputs(ctx context.Context) error {
	if !d.opts.hls {
		return nil
	}
	player, err := d.stack.S3.StartPlayer(ctx, d.stack.Bucket)
	if err != nil {
		return err
	}
	d.player = player
	return d.clock.step("play", func() error {
		for _, made := range d.transcode.Outputs {
			if made.State != "ok" {
				return fmt.Errorf("output %s is %s", made.Type, made.State)
			}
			for _, object := range made.Objects {
				if made.Type == "ts" || object.Kind == "segments" || object.Kind == "pictures" {
					continue
				}
				if err := d.play(ctx, made.Type, object.Location); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// play has one object played, and keeps its address for the report.
func (d *demo) play(ctx context.Context, kind, location string) error {
	address := d.player.URL + "/" + objectKey(location, d.stack.Bucket)
	d.played = append(d.played, address)
	if kind == "thumbnails" {
		dir, err := d.folder.Make("thumbnails")
		if err != nil {
			return err
		}
		local := filepath.Join(dir, "thumbnails.vtt")
		if err := d.stack.S3.Download(ctx, d.stack.Bucket, objectKey(location, d.stack.Bucket), local); err != nil {
			return fmt.Errorf("thumbnails: %w", err)
		}
		info, err := os.Stat(local)
		if err == nil && info.Size() == 0 {
			err = fmt.Errorf("%s is empty", location)
		}
		return err
	}
	facts, err := devstack.Probe(ctx, address)
	if err != nil {
		return fmt.Errorf("play %s: %w", address, err)
	}
	if facts.Frames != d.facts.Frames || facts.Audio != d.facts.Audio {
		return fmt.Errorf("%s plays %d frames, sound %t; the source has %d, sound %t", address, facts.Frames, facts.Audio, d.facts.Frames, d.facts.Audio)
	}
	return nil
}
