package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/uuid"
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

func (h *Host) inFolder(name engine.Name) string { return filepath.Join(h.folder(name), inFolder) }

func (h *Host) outFolder(name engine.Name) string { return filepath.Join(h.folder(name), outFolder) }

// finishedPath is the file that is uploaded as a rendition.
func (h *Host) finishedPath(name engine.Name, rendition string) string {
	return filepath.Join(h.outFolder(name), engine.File(rendition))
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

// folderBytes is how much the files of a folder hold; files may go meanwhile.
func folderBytes(folder string) (bytes int64, err error) {
	err = filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			bytes += fileBytes(path)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("measure %s: %w", folder, err)
	}
	return bytes, nil
}

// removeFolder removes an attempt's folder once nobody needs it: its supervisor has
// cleaned up, and no rendition waits to be stored. Whoever comes last removes it. Before,
// it removes what is not needed any more.
func (h *Host) removeFolder(ctx context.Context, name engine.Name) error {
	needs, err := h.spoolNeeds(ctx, name)
	if err != nil {
		return err
	}
	if needs.Folder {
		return h.removeInputs(name, &needs)
	}
	h.progress.forget(name)
	return h.dropFolder(name)
}

// freeInputs removes the source, and all that was made of it before Mist had it, once
// Mist is done and every rendition is finished: they are most of what lies in the spool
// while a storage is away.
func (h *Host) freeInputs(ctx context.Context, name engine.Name) error {
	if _, err := os.Stat(h.inFolder(name)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	needs, err := h.spoolNeeds(ctx, name)
	if err != nil {
		return err
	}
	return h.removeInputs(name, &needs)
}

func (h *Host) spoolNeeds(ctx context.Context, name engine.Name) (dbsqlc.AttemptSpoolNeedsRow, error) {
	needs, err := dbsqlc.New().AttemptSpoolNeeds(ctx, h.DB, dbsqlc.AttemptSpoolNeedsParams{
		TranscodeID: name.Transcode, Number: int32(name.Attempt),
	})
	if err != nil {
		return needs, fmt.Errorf("see whether %s is needed: %w", name, err)
	}
	return needs, nil
}

func (h *Host) removeInputs(name engine.Name, needs *dbsqlc.AttemptSpoolNeedsRow) error {
	if needs.Inputs {
		return nil
	}
	for _, rendition := range needs.Pushed {
		if _, kept, err := readFinished(h.finishedPath(name, rendition)); err != nil || !kept {
			return err
		}
	}
	in := h.inFolder(name)
	h.follows.drop(func(path string) bool { return filepath.Dir(path) == in })
	if err := os.RemoveAll(in); err != nil {
		return fmt.Errorf("remove what was made of the source: %w", err)
	}
	return nil
}

// claimName is the file in a spool that says whose it is.
const claimName = ".weir-spool.json"

// ErrSpoolTaken: the spool belongs to another database, or to another host of this one, whose
// attempts' files and processes would be taken for nobody's.
var ErrSpoolTaken = errors.New("the spool is another's")

// A claim is what a spool says of itself.
type claim struct {
	// Spool tells this machine's spool from every other: two machines with one host id
	// would kill each other's attempts.
	Spool uuid.UUID `json:"spool"`
	// Database is the one whose attempts lie here.
	Database uuid.UUID `json:"database"`
}

// claimSpool makes the spool this database's, unless it is another's, and returns its id.
func (h *Host) claimSpool(ctx context.Context) (uuid.UUID, error) {
	database, err := dbsqlc.New().IdentityGet(ctx, h.DB)
	if err != nil {
		return uuid.Nil, fmt.Errorf("ask which database this is: %w", err)
	}
	path := filepath.Join(h.Spool, claimName)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		made := claim{Spool: uuid.New(), Database: database}
		return made.Spool, made.save(path)
	}
	if err != nil {
		return uuid.Nil, fmt.Errorf("read whose spool it is: %w", err)
	}
	var found claim
	if err := json.Unmarshal(text, &found); err != nil || found.Spool == uuid.Nil {
		return uuid.Nil, fmt.Errorf("read whose spool it is: %s is damaged: remove it if no other database uses the spool", path)
	}
	if found.Database != database {
		return uuid.Nil, fmt.Errorf("%w: it belongs to another database: give this one a folder of its own in WEIR_SPOOL_DIR, or remove %s if that database is gone", ErrSpoolTaken, path)
	}
	return found.Spool, nil
}

// save writes it whole, or not at all.
func (c *claim) save(path string) error {
	text, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("claim the spool: %w", err)
	}
	part := path + ".part"
	if err := os.WriteFile(part, text, claimMode); err != nil {
		return fmt.Errorf("claim the spool: %w", err)
	}
	if err := os.Rename(part, path); err != nil {
		return fmt.Errorf("claim the spool: %w", err)
	}
	return nil
}

// claimMode: it is no secret, and for one writer.
const claimMode = 0o644
