package media

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLookAt(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, codec string
		data        []byte
		want        look
	}{
		{"h264 IDR", "h264", []byte{0, 0, 0, 1, 9, 0xf0, 0, 0, 1, 0x65, 0x88, 0x80}, look{idr: true, key: true}},
		{"h264 P, type 5", "h264", []byte{0, 0, 0, 1, 9, 0xf0, 0, 0, 1, 0x41, 0x9a}, look{}},
		{"h264 B, type 6", "h264", []byte{0, 0, 1, 0x01, 0x9e}, look{}},
		{"h264 I, type 7", "h264", []byte{0, 0, 1, 0x41, 0x88}, look{key: true}},
		{"h264 I, type 2", "h264", []byte{0, 0, 1, 0x41, 0xb0}, look{key: true}},
		{"h264, only the first slice counts", "h264", []byte{0, 0, 1, 0x41, 0x9a, 0, 0, 1, 0x41, 0x88}, look{}},
		{"h264 without a slice", "h264", []byte{0, 0, 1, 6, 5, 200, 1, 2, 3}, look{broken: true}},
		{"h264, all ones", "h264", []byte{0, 0, 0, 1, 9, 0xf0, 0, 0, 1, 0xff, 0xff, 0xff}, look{broken: true}},
		{"h264, a type that there is not", "h264", []byte{0, 0, 1, 0x41, 0x82}, look{broken: true}},
		{"h264, an endless number", "h264", []byte{0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0}, look{broken: true}},
		{"h264, parameters", "h264", []byte{0, 0, 1, 0x67, 1, 2, 0, 0, 0, 1, 0x65, 0x88, 0x80}, look{idr: true, key: true, params: []byte{0x67, 1, 2}}},
		{"h264, the same parameters twice", "h264", []byte{0, 0, 1, 0x67, 1, 2, 0, 0, 0, 1, 0x67, 1, 2, 0, 0, 1, 0x65, 0x88, 0x80}, look{idr: true, key: true, params: []byte{0x67, 1, 2}}},
		{"h264, two of them", "h264", []byte{0, 0, 1, 0x67, 1, 2, 0, 0, 1, 0x67, 1, 3, 0, 0, 1, 0x65, 0x88, 0x80}, look{idr: true, key: true, params: []byte{0x67, 1, 2}, mixed: true}},
		{"hevc trailing", "hevc", []byte{0, 0, 1, 70, 1, 0x50, 0, 0, 1, 2, 1}, look{}},
		{"hevc TSA", "hevc", []byte{0, 0, 1, 4, 1}, look{key: true}},
		{"hevc CRA", "hevc", []byte{0, 0, 1, 42, 1}, look{key: true}},
		{"hevc IDR", "hevc", []byte{0, 0, 1, 38, 1}, look{key: true, idr: true}},
		{"nothing", "h264", nil, look{broken: true}},
		{"a start code and no more", "h264", []byte{0, 0, 1}, look{broken: true}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.want, lookAt(c.codec, c.data))
		})
	}
}

// A byte that only keeps others from being a start code is none of the header's.
func TestSliceTypeBehindZeros(t *testing.T) {
	t.Parallel()
	// Macroblock 131,071 and type 7: 17 zeros, a 1, 17 zeros, then 0001000.
	kind, ok := sliceType([]byte{0x00, 0x00, 0x03, 0x40, 0x00, 0x02, 0x00})
	require.True(t, ok)
	require.EqualValues(t, 7, kind)
}
