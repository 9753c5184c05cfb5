package e2e

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Mist can't write where a folder lies in the way: what it would do on a disk that
// takes no writes, which nobody can make for root.
func TestPushTargetUnwritable(t *testing.T) {
	t.Parallel()
	b := setup(t)
	source, facts := b.source(t, plain())
	req := b.request(t, source)
	id := b.submit(t, req)
	target := filepath.Join(b.Daemons[0].Spool, nameOf(id)+"_1", req.Profiles[0].Name+".ts")
	await(t, b.ctx, "the attempt's folder", func() bool {
		err := os.Mkdir(target, 0o700)
		require.True(t, err == nil || errors.Is(err, fs.ErrNotExist), "%v", err)
		return err == nil
	})
	// The host is to blame, and the transcode loses no attempt.
	b.succeeds(t, id, facts)
	require.Equal(t, []string{"2"}, b.lines(t, "SELECT attempts_left::text FROM weir.transcodes WHERE id = $1", id))
}
