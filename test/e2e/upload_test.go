package e2e

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"weir/internal/devstack"
)

// noisy is a source that no codec makes small: its rendition goes up in parts.
func noisy() clip {
	noise := strings.ReplaceAll(picture+tone, "duration=2", "duration=20")
	return clip{name: "noisy.mp4", args: strings.Replace(noise, "duration=20 ", "duration=20,noise=alls=10:allf=t ", 1) + x264 + aac}
}

// noisyBitrate gives it some 15 MB in its 20 seconds, which is two parts, and 1.5 MB a
// segment, which is quickly encoded. With more noise the stand-in's encoder takes 1.6 times
// what it is asked for, and that is more than a rendition may have.
const noisyBitrate = 5_000_000

// A daemon that is killed in the middle of an upload leaves a half one, which is gone
// at the end: whether the next boot stores the file or nobody ever does.
func TestKilledInAnUpload(t *testing.T) {
	t.Parallel()
	for name, stored := range map[string]bool{"and started again": true, "and cancelled": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setupOwn(t, func(*devstack.Config) {})
			door := b.startDoor(t, ".ts", false)
			source, facts := b.source(t, noisy())
			req := b.request(t, source, devstack.Profile{Name: "noisy", Width: 320, Height: 180, Bitrate: noisyBitrate})
			req.Output = door.output(t, b)
			id := b.submit(t, req)
			half := func() bool { return strings.Contains(strings.Join(b.leftOf(t, id), "\n"), "half upload") }
			await(t, b.ctx, "a half upload", half)
			require.NoError(t, b.Daemons[0].Kill())
			require.True(t, half(), "nobody was there to abort it")
			attempt := b.lines(t, "SELECT attempt::text FROM weir.transcodes WHERE id = $1", id)

			if !stored {
				b.admin(t, "transcodes", "cancel", id, "--reason", "nobody wants it")
			}
			door.open()
			require.NoError(t, b.Daemons[0].Restart(b.ctx))
			if stored {
				b.succeeds(t, id, facts)
				require.Equal(t, attempt, b.lines(t, "SELECT attempt::text FROM weir.transcodes WHERE id = $1", id))
				return
			}
			require.Equal(t, "cancelled", b.ends(t, id).State)
			b.nothingLeft(t, id)
		})
	}
}
