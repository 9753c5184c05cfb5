package host

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestRoomOf(t *testing.T) {
	t.Parallel()
	const reserve = 3 * 4096
	require.EqualValues(t, 2*4096, roomOf(&unix.Statfs_t{Bavail: 5, Bsize: 4096}, reserve))
	require.EqualValues(t, -4096, roomOf(&unix.Statfs_t{Bavail: 2, Bsize: 4096}, reserve), "the reserve is eaten into")
	require.EqualValues(t, -reserve, roomOf(&unix.Statfs_t{Bavail: 5, Bsize: 4096, Flags: unix.ST_RDONLY | unix.ST_NOSUID}, reserve), "read-only")
	require.Zero(t, roomOf(&unix.Statfs_t{Bavail: 5, Bsize: 4096, Flags: unix.ST_RDONLY}, 0), "HostFree passes over it")
}
