package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"weir/internal/devstack"
)

// The kernel's names, in /proc/PID/status, of a process's memory: what is resident
// now, and the most that ever was.
const (
	resident = "VmRSS:"
	mostEver = "VmHWM:"
)

// The load of the figure: noise, as nothing else fills a bit rate, at the highest rate
// that the API takes, two renditions at once.
const (
	noise     = "testsrc2=size=1280x720:rate=30:duration=%d,noise=alls=60:allf=t"
	noiseRate = 100_000_000
	// Both are more than an upload holds of a file, so that what differs is the size.
	smallSeconds, largeSeconds = 5, 30
	// leastBytes is what a rendition has a second, for the figure to say something.
	leastBytes = 10_000_000
)

// goalGrowth is how much more memory the large renditions may take than the small ones:
// half again is the garbage collector's freedom, and files held whole would be sixfold.
const goalGrowth = 1.5

// memoryMB is one of the kernel's figures on the daemon's memory.
func (b *bench) memoryMB(name string) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", b.stack.Daemons[0].PID()))
	if err != nil {
		return 0, fmt.Errorf("read the daemon's memory: %w", err)
	}
	return memoryOf(text, name)
}

// peak is the most memory that the daemon has, in MB, while do runs.
func (b *bench) peak(do func() error) (float64, error) {
	const forget = "5" // sets VmHWM back to VmRSS: proc_pid_clear_refs(5)
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", b.stack.Daemons[0].PID()), []byte(forget), 0); err != nil {
		return 0, fmt.Errorf("reset the daemon's peak of memory: %w", err)
	}
	if err := do(); err != nil {
		return 0, err
	}
	return b.memoryMB(mostEver)
}

// memory compares the daemon's peak over large renditions with the one over small.
func (b *bench) memory(ctx context.Context) error {
	dir, err := b.stack.Folder.Make("bench")
	if err != nil {
		return err
	}
	small, err := b.noisy(ctx, dir, smallSeconds)
	if err != nil {
		return err
	}
	large, err := b.noisy(ctx, dir, largeSeconds)
	if err != nil {
		return err
	}
	b.add("the daemon's peak, 2 renditions of some 60 MB", "MB", "", 0, small)
	b.add("its peak, 2 renditions of some 360 MB", "MB", "", 0, large)
	b.add("the latter by the former", "", fmt.Sprintf("under %.1f", goalGrowth), goalGrowth, large/small)
	return nil
}

// noisy runs one transcode of so much noise and gives the daemon's peak, in MB.
func (b *bench) noisy(ctx context.Context, dir string, seconds int) (float64, error) {
	name := fmt.Sprintf("noise-%d", seconds)
	source := filepath.Join(dir, name+".mp4")
	out, err := exec.CommandContext(ctx, "ffmpeg", "-nostdin", "-loglevel", "error", "-y", "-f", "lavfi", "-i", fmt.Sprintf(noise, seconds),
		"-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "60", "-keyint_min", "60", "-sc_threshold", "0", "-crf", "18", source).CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("make %s: %w: %s", source, err, out)
	}
	profiles := []devstack.Profile{
		{Name: "a", Width: 1280, Height: 720, Bitrate: noiseRate},
		{Name: "b", Width: 1280, Height: 720, Bitrate: noiseRate},
	}
	var t run
	peak, err := b.peak(func() (err error) {
		t, err = b.transcode(ctx, name, source, profiles)
		return err
	})
	if err != nil {
		return 0, err
	}
	for _, r := range t.Renditions {
		if r.Bytes < int64(seconds)*leastBytes {
			return 0, fmt.Errorf("rendition %s of %s has %d bytes, too few to say something", r.Name, name, r.Bytes)
		}
	}
	return peak, nil
}
