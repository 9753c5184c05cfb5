package pack

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"weir/media/mpegts"
)

// Whatever a file holds, it is packaged or refused, and what is listed is there.
func FuzzRung(f *testing.F) {
	data, err := os.ReadFile("testdata/one_frame.ts") // as media.Finish wrote it
	require.NoError(f, err)
	f.Add(data)
	f.Add(data[2*mpegts.PacketBytes:])
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		rung := Rung{Name: "x", File: filepath.Join(dir, "x.ts"), Width: 160, Height: 90}
		require.NoError(t, os.WriteFile(rung.File, data, 0o644))
		if list, err := (Packer{}).HLS(t.Context(), rung, dir, time.Second); err == nil {
			for _, name := range list.Files() {
				require.FileExists(t, filepath.Join(dir, name))
			}
		}
		if made, err := (Packer{}).Fragmented(t.Context(), []Rung{rung}, dir, time.Second); err == nil {
			for _, name := range made.Files {
				require.FileExists(t, filepath.Join(dir, name))
			}
		}
	})
}
