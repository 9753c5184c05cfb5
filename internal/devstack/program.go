package devstack

import (
	"fmt"
	"os"
	"path/filepath"
)

// BinDirVariable names the environment variable that tells tests where the
// built programs are; `make test` sets it.
const BinDirVariable = "WEIR_BIN_DIR"

// findProgram returns the path of one of the programs that `make build` puts
// into dir.
func findProgram(dir, name string) (string, error) {
	path, err := filepath.Abs(filepath.Join(dir, name))
	if err != nil {
		return "", fmt.Errorf("find %s: %w", name, err)
	}
	if info, err := os.Stat(path); err != nil || info.IsDir() {
		return "", fmt.Errorf("%s is missing: run `make build`, and tests by `make test`", path)
	}
	return path, nil
}
