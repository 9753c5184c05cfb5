package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// smallHost has a small disk of its own for its spool.
	smallHost = hosts - 1
	// smallDisk is that disk: the daemons' reserve of 64 MB, and some room.
	smallDisk = "size=96m"
	// filler is the file that fills it. It is nobody's attempt, so nobody removes it.
	filler = "filler"
	// fillerBlock is what is written of it at once.
	fillerBlock = 1 << 20
	// fullFor is longer than a renewal, at which a host tells how much room it has.
	fullFor = 12 * time.Second
	// mountsVariable says that this process has mounts of its own.
	mountsVariable = "CHAOS_MOUNTS"
)

// diskFaults are about the disk of one host's spool.
func diskFaults() []*fault {
	return []*fault{
		{
			name: "disk full under running transcodes", disk: true, slow: true, within: anew, repeats: hostMore,
			strike: func(ctx context.Context, r *round) error {
				if _, err := r.runningOn(ctx, smallHost); err != nil {
					return err
				}
				return errors.Join(r.fillDisk(), pause(ctx, fullFor), r.emptyDisk())
			},
		},
		{
			name: "disk full before the load", disk: true, within: soon, repeats: nothing,
			before: func(ctx context.Context, r *round) error {
				// Until the host has said that it has no room.
				return errors.Join(r.fillDisk(), pause(ctx, fullFor))
			},
			strike: func(context.Context, *round) error { return nil },
			after:  func(_ context.Context, r *round) error { return r.emptyDisk() },
		},
		{
			// With nothing in work: no disk with a file open for writing can be made so.
			name: "disk read-only before the load", disk: true, within: soon, repeats: nothing,
			before: func(ctx context.Context, r *round) error {
				return errors.Join(r.remountDisk(unix.MS_RDONLY), pause(ctx, fullFor))
			},
			strike: func(context.Context, *round) error { return nil },
			after:  func(_ context.Context, r *round) error { return r.writeDisk() },
		},
	}
}

// errMounts: disk faults can't strike here, and leaving them out would hide it.
var errMounts = errors.New("the chosen faults need a small disk, and this user may not mount one: run as root (CAP_SYS_ADMIN), or choose others with -only (those that need it begin with \"disk\")")

// ownMounts gives this process mounts that end with it: what is mounted then is gone
// even after kill -9. It starts the program again.
func ownMounts() error {
	if os.Getenv(mountsVariable) != "" {
		return nil
	}
	runtime.LockOSThread() // a namespace is a thread's; exec makes it the process's
	defer runtime.UnlockOSThread()
	err := unix.Unshare(unix.CLONE_NEWNS)
	if errors.Is(err, unix.EPERM) {
		return errMounts
	}
	if err == nil {
		err = unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
	}
	if err != nil {
		return fmt.Errorf("make mounts of my own: %w", err)
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find myself: %w", err)
	}
	return fmt.Errorf("start again: %w", unix.Exec(self, os.Args, append(os.Environ(), mountsVariable+"=own")))
}

// mountSpool mounts the small host's spool before its daemon makes it, where a fault
// needs it.
func (s *suite) mountSpool(folder string) error {
	if os.Getenv(mountsVariable) == "" {
		return nil
	}
	spool := filepath.Join(folder, hostID(smallHost), "spool")
	if err := os.MkdirAll(spool, 0o700); err != nil {
		return fmt.Errorf("make a small disk: %w", err)
	}
	if err := unix.Mount("tmpfs", spool, "tmpfs", 0, smallDisk); err != nil {
		return fmt.Errorf("make a small disk: %w", err)
	}
	s.closing(func() error { return unix.Unmount(spool, unix.MNT_DETACH) })
	return nil
}

// fillDisk writes until nothing fits any more.
func (r *round) fillDisk() error {
	f, err := os.Create(filepath.Join(r.Daemons[smallHost].Spool, filler))
	if err != nil {
		return fmt.Errorf("fill the disk: %w", err)
	}
	block := bytes.Repeat([]byte{1}, fillerBlock)
	for err == nil {
		_, err = f.Write(block)
	}
	if !errors.Is(err, unix.ENOSPC) {
		return errors.Join(fmt.Errorf("fill the disk: %w", err), f.Close())
	}
	return f.Close()
}

// writeDisk makes the disk writable, as it mostly is.
func (r *round) writeDisk() error {
	if os.Getenv(mountsVariable) == "" {
		return nil
	}
	return r.remountDisk(0)
}

func (r *round) remountDisk(flags uintptr) error {
	if err := unix.Mount("", r.Daemons[smallHost].Spool, "", unix.MS_REMOUNT|flags, smallDisk); err != nil {
		return fmt.Errorf("mount the small disk again: %w", err)
	}
	return nil
}

func (r *round) emptyDisk() error {
	if err := os.Remove(filepath.Join(r.Daemons[smallHost].Spool, filler)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("empty the disk: %w", err)
	}
	return nil
}
