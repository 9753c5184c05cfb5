package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"

	"weir/internal/devstack"
	"weir/test/bench/report"
)

// A length is how long a source is whose transcode is measured beside plain ffmpeg.
type length struct {
	source time.Duration
	goal   float64 // of what plain ffmpeg needs; 0: none
	long   bool    // by the flag alone
}

// The sources: one where what has no length weighs most, the goal's, and one by the flag alone.
const shortSource, middleSource, longSource = 10 * time.Second, time.Minute, 10 * time.Minute

func lengths() []length {
	return []length{
		{source: shortSource},
		{source: middleSource, goal: goalAdded},
		{source: longSource, goal: goalAddedLong, long: true},
	}
}

// speed is the time around the stand-in Broadcaster's own work, in parts of what plain
// ffmpeg needs for the same. Each round has both, as the machine changes.
func (b *bench) speed(ctx context.Context) error {
	db, err := pgx.Connect(ctx, string(b.stack.Database))
	if err != nil {
		return fmt.Errorf("connect to the stack's database: %w", err)
	}
	defer func() { _ = db.Close(context.WithoutCancel(ctx)) }()
	for _, l := range lengths() {
		if l.long && !*long {
			continue
		}
		if err := b.speedOf(ctx, db, &l); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) speedOf(ctx context.Context, db *pgx.Conn, l *length) error {
	dir, err := b.stack.Folder.Make("bench")
	if err != nil {
		return err
	}
	seconds := fmt.Sprintf("%.0f s", l.source.Seconds())
	source := filepath.Join(dir, fmt.Sprintf("speed-%.0f.mp4", l.source.Seconds()))
	if err := devstack.MakeClip(ctx, source, devstack.Clip{Duration: l.source}); err != nil {
		return err
	}
	var plain, uploads, total, owns, added []float64
	var names []string
	took := map[string][]float64{}
	for i := range rounds {
		alone, upload, err := b.plain(ctx, source, dir)
		if err != nil {
			return err
		}
		t, err := b.transcode(ctx, fmt.Sprintf("speed-%.0f-%d", l.source.Seconds(), i), source, ladder())
		if err != nil {
			return err
		}
		parts, own, err := b.where(ctx, db, &t)
		if err != nil {
			return err
		}
		whole := t.told.Sub(t.CreatedAt)
		plain = append(plain, (alone + upload).Seconds())
		uploads = append(uploads, upload.Seconds())
		total = append(total, whole.Seconds())
		owns = append(owns, own.Seconds())
		added = append(added, (whole-own).Seconds()/(alone+upload).Seconds())
		for _, p := range parts {
			if i == 0 {
				names = append(names, p.name)
			}
			took[p.name] = append(took[p.name], p.took.Seconds())
		}
	}
	b.Add(seconds+" of 720p30: plain ffmpeg, the same ladder and preset, and its upload", "s", "", 0, plain...)
	b.Add("  of it the upload", "s", "", 0, uploads...)
	b.Add(seconds+": accepted -> callback received", "s", "", 0, total...).Beside("plain ffmpeg", report.Median(plain))
	b.Add(seconds+": of it the stand-in's own time, a segment in work", "s", "", 0, owns...)
	for _, name := range names {
		b.Add("  "+name, "s", "", 0, took[name]...)
	}
	goal := ""
	if l.goal > 0 {
		goal = fmt.Sprintf("under %.1f", l.goal)
	}
	b.Add(seconds+": (total - the stand-in's own) / plain ffmpeg", "", goal, l.goal, added...)
	return nil
}

// plain is what somebody would do by hand: ffmpeg, and then its files into the same S3.
func (b *bench) plain(ctx context.Context, source, dir string) (encode, upload time.Duration, err error) {
	if encode, err = plainLadder(ctx, source, dir); err != nil {
		return 0, 0, err
	}
	m := b.mover()
	began := time.Now()
	for _, p := range ladder() {
		if err := m.sdk(ctx, up, filepath.Join(dir, p.Name+".ts"), b.stack.Bucket, "bench/plain/"+p.Name+".ts"); err != nil {
			return 0, 0, err
		}
	}
	return encode, time.Since(began), nil
}

// mover moves objects to and from the stack's S3.
func (b *bench) mover() *mover {
	return &mover{b.stack.S3.Endpoint, b.stack.S3.Region, b.stack.S3.AccessKey, b.stack.S3.SecretKey}
}
