package free

import (
	"fmt"
	"os"
)

// memory is a file system in memory, on Linux.
const memory = "/dev/shm"

// Spools makes a folder for the spools of hosts, which its caller removes: in memory, where there
// is such a file system, as what costs nothing makes and removes a dozen files for each
// lifecycle, and that is a quarter of a host's time on a disk.
func Spools() (dir string, err error) {
	if _, err := os.Stat(memory); err == nil {
		dir = memory
	}
	if dir, err = os.MkdirTemp(dir, "weir-spools-"); err != nil {
		return "", fmt.Errorf("make a folder for spools: %w", err)
	}
	return dir, nil
}
