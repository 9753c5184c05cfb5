package devstack

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

const (
	// folderPattern names the folders of stacks in the temporary folder.
	folderPattern = "weir-stack-*"
	// lockName is the file that a living stack holds locked in its folder.
	lockName = "lock"
	// minFree is what a stack needs of disk: a new Postgres data folder (60 MB),
	// the demo's source and renditions three times over (spool, Mist, S3), logs.
	minFree = 512 << 20
)

// memory is a file system in memory, on Linux.
const memory = "/dev/shm"

// Folder holds all files of one stack. Its owner holds a lock on it for as long
// as the owner lives, so that an abandoned one is recognised.
type Folder struct {
	// Path is absolute.
	Path string
	lock *os.File
}

// NewFolder makes a folder for a stack in the system's temporary folder, and
// removes what killed stacks have left there: their folders and the processes
// that work in them. It fails when the disk has too little room.
func NewFolder() (*Folder, error) { return newFolder(os.TempDir()) }

// NewFolderInMemory is NewFolder where files cost next to nothing; where memory
// has too little room for them they lie where all others do.
func NewFolderInMemory() (*Folder, error) {
	if err := checkRoom(memory); err != nil {
		return NewFolder()
	}
	return newFolder(memory)
}

func newFolder(parent string) (*Folder, error) {
	if err := checkRoom(parent); err != nil {
		return nil, err
	}
	if err := sweep(parent); err != nil {
		return nil, err
	}
	path, err := os.MkdirTemp(parent, folderPattern)
	if err != nil {
		return nil, fmt.Errorf("make the stack's folder: %w", err)
	}
	// Postgres refuses to run as root; the user it runs as must get through.
	if err := os.Chmod(path, 0o711); err != nil {
		return nil, fmt.Errorf("make the stack's folder: %w", err)
	}
	lock, err := makeLock(path)
	if err != nil {
		return nil, err
	}
	return &Folder{Path: path, lock: lock}, nil
}

// Make makes a folder in the folder, for one part, and returns its path.
func (f *Folder) Make(name string) (string, error) {
	path := filepath.Join(f.Path, name)
	if err := os.MkdirAll(path, 0o700); err != nil {
		return "", fmt.Errorf("make a folder in the stack's: %w", err)
	}
	return path, nil
}

// Close kills the processes that still work in the folder, and removes it.
func (f *Folder) Close() error {
	err := errors.Join(killIn(f.Path), os.RemoveAll(f.Path), f.lock.Close())
	if err != nil {
		return fmt.Errorf("remove the stack's folder: %w", err)
	}
	return nil
}

// checkRoom fails when the file system of dir has less than [minFree] left.
func checkRoom(dir string) error {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return fmt.Errorf("look at the disk of %s: %w", dir, err)
	}
	if free := st.Bavail * uint64(st.Bsize); free < minFree {
		return fmt.Errorf("the disk of %s is full: %d MB free, %d MB needed; free some, or set TMPDIR to another disk",
			dir, free>>20, minFree>>20)
	}
	return nil
}

// sweep removes the folders of stacks that live no more.
func sweep(parent string) error {
	paths, err := filepath.Glob(filepath.Join(parent, folderPattern))
	if err != nil {
		return fmt.Errorf("look for old stacks: %w", err)
	}
	for _, path := range paths {
		lock, err := takeLock(path)
		if errors.Is(err, errLocked) || errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
			continue // it lives, is being made, or is another user's
		}
		if err != nil {
			return fmt.Errorf("look for old stacks: %w", err)
		}
		if err := (&Folder{Path: path, lock: lock}).Close(); err != nil {
			return err
		}
	}
	return nil
}
