package media

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLooksKey(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, codec string
		head        []byte
		key         bool
	}{
		{"h264 IDR", "h264", []byte{0, 0, 0, 1, 9, 0xf0, 0, 0, 1, 0x65, 0x88}, true},
		{"h264 P, type 5", "h264", []byte{0, 0, 0, 1, 9, 0xf0, 0, 0, 1, 0x41, 0x9a}, false},
		{"h264 B, type 6", "h264", []byte{0, 0, 1, 0x01, 0x9e}, false},
		{"h264 I, type 7", "h264", []byte{0, 0, 1, 0x41, 0x88}, true},
		{"h264 I, type 2", "h264", []byte{0, 0, 1, 0x41, 0xb0}, true},
		{"h264 slice further on", "h264", []byte{0, 0, 1, 6, 5, 200, 1, 2, 3}, false},
		{"hevc trailing", "hevc", []byte{0, 0, 1, 70, 1, 0x50, 0, 0, 1, 2, 1}, false},
		{"hevc TSA", "hevc", []byte{0, 0, 1, 4, 1}, true},
		{"hevc CRA", "hevc", []byte{0, 0, 1, 42, 1}, true},
		{"mpeg2", "mpeg2video", []byte{0, 0, 1, 0, 0, 8}, false},
		{"nothing", "h264", nil, false},
		{"a start code and no more", "h264", []byte{0, 0, 1}, false},
		{"an endless number", "h264", []byte{0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0}, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.key, looksKey(c.codec, c.head))
		})
	}
}
