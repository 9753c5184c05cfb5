package footage

import (
	"context"
	"fmt"
	"os"
	"strings"
)

// garbage is long enough to be looked into.
var garbage = strings.Repeat("no media at all; ", 4096)

// text writes a file that is no media.
func text(content string) func(ctx context.Context, dir, path string) error {
	return func(_ context.Context, _, path string) error { return os.WriteFile(path, []byte(content), 0o600) }
}

// inHalf is what an upload leaves that broke off.
func inHalf(data []byte) ([]byte, error) { return data[:len(data)/2], nil }

// rewrite changes a file's bytes.
func rewrite(from, to string, patch func([]byte) ([]byte, error)) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if data, err = patch(data); err != nil {
		return fmt.Errorf("patch %s: %w", from, err)
	}
	return os.WriteFile(to, data, 0o600)
}
