package checkup

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"weir/jobs/doctor"
)

const (
	// shmLeast is what one transcode takes at the most: its source, all renditions and what
	// a killed input left. shmFew is when there is room for hardly another.
	shmLeast, shmFew = 64 << 20, 512 << 20
	mib              = 1 << 20
)

func (h *Host) lookAtTools(ctx context.Context) []doctor.Finding {
	ffmpeg, ffprobe, err := h.Media.Versions(ctx)
	if err != nil {
		return []doctor.Finding{doctor.Wrong(doctor.Fail, doctor.MediaTools, "", "", "%s", brief(err))}
	}
	return []doctor.Finding{doctor.Well(doctor.MediaTools, "", "%s; %s", ffmpeg, ffprobe)}
}

func (h *Host) lookAtCodecs(ctx context.Context) []doctor.Finding {
	lacks, err := h.Media.Lacks(ctx)
	switch {
	case err != nil:
		return []doctor.Finding{doctor.Wrong(doctor.Unknown, doctor.MediaCodecs, "", doctor.MediaTools.Mend(), "%s", brief(err))}
	case len(lacks) > 0:
		return []doctor.Finding{doctor.Wrong(doctor.Fail, doctor.MediaCodecs, "", "", "this ffmpeg has no %s", strings.Join(lacks, ", no "))}
	}
	return []doctor.Finding{doctor.Well(doctor.MediaCodecs, "", "this ffmpeg has all that Weir uses")}
}

// disk is what is free of one, and whether it can be written.
func disk(path string) (free, all int64, readOnly bool, err error) {
	var stat unix.Statfs_t
	if err := unix.Statfs(path, &stat); err != nil {
		return 0, 0, false, fmt.Errorf("%s: %w", path, err)
	}
	return int64(stat.Bavail) * stat.Bsize, int64(stat.Blocks) * stat.Bsize, stat.Flags&unix.ST_RDONLY != 0, nil
}

func (h *Host) lookAtShm(context.Context) []doctor.Finding {
	free, all, _, err := disk(h.ShmDir)
	if err != nil {
		return []doctor.Finding{doctor.Wrong(doctor.Fail, doctor.ShmRoom, "", "set WEIR_SHM_DIR to where MistServer keeps its shared memory", "%s", brief(err))}
	}
	text := fmt.Sprintf("%s has %d of %d MiB free", h.ShmDir, free/mib, all/mib)
	switch {
	case free < shmLeast:
		return []doctor.Finding{doctor.Wrong(doctor.Fail, doctor.ShmRoom, "", "", "%s", text)}
	case free < shmFew:
		return []doctor.Finding{doctor.Wrong(doctor.Warn, doctor.ShmRoom, "", "", "%s", text)}
	}
	return []doctor.Finding{doctor.Well(doctor.ShmRoom, "", "%s", text)}
}

// lookAtSpool writes into it too: a disk that became read-only has room.
func (h *Host) lookAtSpool(context.Context) []doctor.Finding {
	free, all, readOnly, err := disk(h.Spool)
	if err != nil {
		return []doctor.Finding{doctor.Wrong(doctor.Fail, doctor.SpoolRoom, "", "make the folder, or correct WEIR_SPOOL_DIR", "%s", brief(err))}
	}
	text := fmt.Sprintf("%s has %d of %d MiB free, of which %d are reserved", h.Spool, free/mib, all/mib, h.SpoolReserve/mib)
	if readOnly {
		return []doctor.Finding{doctor.Wrong(doctor.Fail, doctor.SpoolRoom, "", "look into dmesg why the disk is read-only, then remount it", "%s is on a disk that is read-only", h.Spool)}
	}
	if free <= h.SpoolReserve {
		return []doctor.Finding{doctor.Wrong(doctor.Fail, doctor.SpoolRoom, "", "", "%s: the host takes no work", text)}
	}
	if err := writable(h.Spool); err != nil {
		return []doctor.Finding{doctor.Wrong(doctor.Fail, doctor.SpoolRoom, "", "give the folder to the user that weir-daemon runs as", "%s", brief(err))}
	}
	if free-h.SpoolReserve < h.SpoolReserve/2 {
		return []doctor.Finding{doctor.Wrong(doctor.Warn, doctor.SpoolRoom, "", "", "%s", text)}
	}
	return []doctor.Finding{doctor.Well(doctor.SpoolRoom, "", "%s", text)}
}

// writable makes a file there and removes it.
func writable(folder string) error {
	file, err := os.CreateTemp(folder, ".doctor-*")
	if err != nil {
		return err
	}
	path := filepath.Join(folder, filepath.Base(file.Name()))
	_, err = file.WriteString("Weir looks whether it may write here. This file can be removed.\n")
	if closed := file.Close(); err == nil {
		err = closed
	}
	if removed := os.Remove(path); err == nil {
		err = removed
	}
	return err
}
