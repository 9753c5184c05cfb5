package e2e

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// Mist can't write where a folder lies in the way: what it would do on a disk that
// takes no writes, which nobody can make for root.
func TestPushTargetUnwritable(t *testing.T) {
	t.Parallel()
	b := setup(t)
	source, _ := b.source(t, plain())
	req := b.request(t, source)
	id := b.submit(t, req)
	for attempt := 1; attempt <= maxAttempts; attempt++ {
		target := filepath.Join(b.Daemons[0].Spool, nameOf(id)+"_"+strconv.Itoa(attempt), req.Profiles[0].Name+".ts")
		await(t, b.ctx, "the attempt's folder", func() bool {
			err := os.Mkdir(target, 0o700)
			require.True(t, err == nil || errors.Is(err, fs.ErrNotExist), "%v", err)
			return err == nil
		})
	}
	b.fails(t, id, failure{"push_failed", "push", "host", true})
}
