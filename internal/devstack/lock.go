package devstack

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// errLocked says that the folder's owner lives.
var errLocked = errors.New("its stack is running")

// makeLock makes the lock file of a new folder. It appears under its name only
// when it is locked, so that nobody takes a folder in the making for an old one.
func makeLock(folder string) (*os.File, error) {
	f, err := os.CreateTemp(folder, lockName+"-*")
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", folder, err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", folder, err), f.Close())
	}
	if err := os.Rename(f.Name(), filepath.Join(folder, lockName)); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", folder, err), f.Close())
	}
	return f, nil
}

// takeLock takes over the lock of a folder whose owner lives no more. It fails
// with errLocked when the owner lives, fs.ErrNotExist when there is no lock.
func takeLock(folder string) (*os.File, error) {
	f, err := os.Open(filepath.Join(folder, lockName))
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", folder, err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = errLocked
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", folder, err), f.Close())
	}
	return f, nil
}
