package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"weir/internal/devstack"
	"weir/test/bench/report"
)

// How large the object is: in CI, in the usual run, and by the flag. All are of many parts.
const (
	shortObject = 64 << 20
	usualObject = 256 << 20
	longObject  = 1 << 30
)

// moved is what moving an object took one of the programs, round by round.
type moved struct{ seconds, processor, memory []float64 }

// objects is one S3 server, an object on it, and those who move it.
type objects struct {
	mover               *mover
	dir, bucket, source string
	self, s5cmd         string
}

// s3 moves a large object down and up: Weir's own storage, the SDK's transfer manager, and
// s5cmd, on the same server. Each round has all, begun by another each time.
func (b *bench) s3(ctx context.Context) (err error) {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find my own folder: %w", err)
	}
	folder, err := devstack.NewFolder()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, folder.Close()) }()
	dir, err := folder.Make("s3")
	if err != nil {
		return err
	}
	server, err := devstack.StartS3(ctx, &devstack.S3Config{Dir: dir, BinDir: filepath.Dir(self)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	o := &objects{
		mover: &mover{server.Endpoint, server.Region, server.AccessKey, server.SecretKey},
		dir:   dir, bucket: "bench", source: filepath.Join(dir, "source"), self: self, s5cmd: filepath.Join(filepath.Dir(self), byS5cmd),
	}
	if err := server.MakeBucket(ctx, o.bucket); err != nil {
		return err
	}
	size := int64(usualObject)
	switch {
	case b.Short:
		size = shortObject
	case *long:
		size = longObject
	}
	if err := noiseFile(o.source, size); err != nil {
		return err
	}
	// The server has it, and all programs have run once.
	for _, by := range []string{byWeir, bySDK, byS5cmd} {
		if err := o.move(ctx, &moved{}, by, up); err != nil {
			return err
		}
	}
	var idle moved
	for range rounds {
		if err := o.move(ctx, &idle, byNobody, down); err != nil {
			return err
		}
	}
	for _, way := range []string{down, up} {
		if err := b.move(ctx, o, way, size, report.Median(idle.memory)); err != nil {
			return err
		}
	}
	return nil
}

// move measures one way.
func (b *bench) move(ctx context.Context, o *objects, way string, size int64, idle float64) error {
	all := []string{byWeir, bySDK, byS5cmd}
	took := map[string]*moved{byWeir: {}, bySDK: {}, byS5cmd: {}}
	for i := range rounds {
		for j := range all {
			by := all[(i+j)%len(all)]
			if err := o.move(ctx, took[by], by, way); err != nil {
				return err
			}
		}
	}
	rates := func(by string) (all []float64) {
		for _, seconds := range took[by].seconds {
			all = append(all, float64(size)/seconds/1e6)
		}
		return all
	}
	peer := bySDK
	if slices.Max(rates(byS5cmd)) > slices.Max(rates(bySDK)) {
		peer = byS5cmd
	}
	mine, over := took[byWeir], []float64{}
	for _, memory := range mine.memory {
		over = append(over, memory-idle)
	}
	b.Add(fmt.Sprintf("%d MiB %s, Weir", size>>20, way), "MB/s", "", 0, rates(byWeir)...).Beside(peer, report.Median(rates(peer)))
	b.Add("  the SDK's transfer manager", "MB/s", "", 0, rates(bySDK)...)
	b.Add("  s5cmd", "MB/s", "", 0, rates(byS5cmd)...)
	// What else this machine does makes a round slower and never faster, and whose round it is, is chance.
	b.AddAbove("  the best rate of Weir by the best of the others", "", fmt.Sprintf("%.1f or more", goalMoved), goalMoved,
		slices.Max(rates(byWeir))/slices.Max(rates(peer)))
	b.Add("  processor time, Weir", "s", "", 0, mine.processor...)
	b.Add("  processor time, the SDK's transfer manager", "s", "", 0, took[bySDK].processor...)
	b.Add("  processor time, s5cmd", "s", "", 0, took[byS5cmd].processor...)
	b.Add("  Weir's memory over idle", "MB", "under 64 MiB", goalMover/1e6, over...)
	return nil
}

// move has one program move the object once.
func (o *objects) move(ctx context.Context, took *moved, by, way string) error {
	file := o.source
	if way == down {
		file = filepath.Join(o.dir, "target")
	}
	program, args := o.self, []string{"-as", asMover, by, way, file, o.bucket, by}
	if by == byS5cmd {
		object := "s3://" + o.bucket + "/" + by
		program, args = o.s5cmd, []string{"--endpoint-url", o.mover.endpoint, "cp", file, object}
		if way == down {
			args[3], args[4] = object, file
		}
	}
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append(os.Environ(), o.mover.env()...)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	began := time.Now()
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s, %s: %w: %s", by, way, err, bytes.TrimSpace(said.Bytes()))
	}
	took.seconds = append(took.seconds, time.Since(began).Seconds())
	took.processor = append(took.processor, (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds())
	if by != byS5cmd {
		var memory float64
		if err := json.Unmarshal(out.Bytes(), &memory); err != nil {
			return fmt.Errorf("%s tells no memory: %w", by, err)
		}
		took.memory = append(took.memory, memory)
	}
	if way == up || by == byNobody {
		return nil
	}
	want, err := os.Stat(o.source)
	if err != nil {
		return fmt.Errorf("look at what was moved: %w", err)
	}
	got, err := os.Stat(file)
	if err != nil {
		return fmt.Errorf("look at what was moved: %w", err)
	}
	if got.Size() != want.Size() {
		return fmt.Errorf("%s brought %d bytes of %d", by, got.Size(), want.Size())
	}
	return os.Remove(file)
}

// noiseFile makes a file that nothing can make smaller, the same each time.
func noiseFile(path string, size int64) error {
	file, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("make the object: %w", err)
	}
	defer file.Close()
	if _, err := io.CopyN(file, rand.NewChaCha8([32]byte{}), size); err != nil {
		return fmt.Errorf("make the object: %w", err)
	}
	return file.Close()
}
