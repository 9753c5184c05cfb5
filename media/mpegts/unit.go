package mpegts

import "bytes"

// Units gives what lies between the start codes of a coded picture.
func Units(data []byte) func(yield func([]byte) bool) {
	start := []byte{0, 0, 1}
	return func(yield func([]byte) bool) {
		i := bytes.Index(data, start)
		for i >= 0 {
			data = data[i+len(start):]
			i = bytes.Index(data, start)
			unit := data
			if i >= 0 {
				unit = data[:i]
			}
			if !yield(unit) {
				return
			}
		}
	}
}
