package host

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"weir/db/dbsqlc"
	"weir/engine"
)

// The places within an attempt's folder. Pushes lie at its top, each under its
// rendition's name (engine.File), so nothing else may be named so there.
const (
	inFolder   = "in"
	outFolder  = "out"
	sourceFile = "source"
)

// spoolMode: sources and renditions are for Mist, which runs as the same user or as
// root, and for nobody else.
const spoolMode = 0o750

// notForMist are characters that Mist can't take in a path: ? begins parameters, $ a
// variable.
const notForMist = "?$ "

// OpenSpool makes the spool's folder where there is none, and returns its path without
// symbolic links: by that one the kernel says where a process runs. Errors are for the
// setting's author.
func OpenSpool(path string) (string, error) {
	if err := os.MkdirAll(path, spoolMode); err != nil {
		return "", fmt.Errorf("WEIR_SPOOL_DIR: %w: give a folder, or where one can be made", err)
	}
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", fmt.Errorf("WEIR_SPOOL_DIR: %w", err)
	}
	if strings.ContainsAny(path, notForMist) {
		return "", fmt.Errorf("WEIR_SPOOL_DIR leads to %q: Mist can't take ?, $ or spaces in it", path)
	}
	return path, nil
}

// folder is an attempt's place in the spool.
func (h *Host) folder(name engine.Name) string { return filepath.Join(h.Spool, name.String()) }

func (h *Host) sourcePath(name engine.Name) string {
	return filepath.Join(h.folder(name), inFolder, sourceFile)
}

func (h *Host) pushedPath(name engine.Name, rendition string) string {
	return filepath.Join(h.folder(name), engine.File(rendition))
}

// spoolRoom is what is free on the spool's disk beyond the reserve; below 0 when it
// is eaten into, or when the disk is read-only.
func (h *Host) spoolRoom() (int64, error) {
	var stat unix.Statfs_t
	if err := unix.Statfs(h.Spool, &stat); err != nil {
		return 0, fmt.Errorf("look at the spool %s: %w", h.Spool, err)
	}
	return roomOf(&stat, h.SpoolReserve), nil
}

// roomOf is spoolRoom of a disk: one that is read-only has nothing free.
func roomOf(stat *unix.Statfs_t, reserve int64) int64 {
	if stat.Flags&unix.ST_RDONLY != 0 {
		return -reserve
	}
	return int64(stat.Bavail)*stat.Bsize - reserve
}

// removeFolder removes an attempt's folder once nobody needs it: its supervisor has
// cleaned up, and no rendition waits to be stored. Whoever comes last removes it.
func (h *Host) removeFolder(ctx context.Context, name engine.Name) error {
	needed, err := dbsqlc.New().AttemptNeedsSpool(ctx, h.DB, dbsqlc.AttemptNeedsSpoolParams{
		TranscodeID: name.Transcode, Number: int32(name.Attempt),
	})
	if err != nil {
		return fmt.Errorf("see whether %s is needed: %w", name, err)
	}
	if needed {
		return nil
	}
	return h.dropFolder(name)
}
