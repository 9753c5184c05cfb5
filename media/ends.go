package media

import (
	"io"
	"os"

	"weir/media/mpegts"
)

const (
	// lastBytes is how much of a file's end is read for its last picture, at first and at the
	// most: larger ones are rare.
	lastBytes, mostLastBytes = 256 << 10, 16 << 20

	// endsFrames is by how many frames of its own a rendition's last one may come before the
	// source's: what a transcoder rounds at another rate, and what it reorders.
	endsFrames = 4
)

// EndsAt says whether a file that a push writes has the source's last picture, by the times in it.
// A file that can't be read has not.
func EndsAt(path string, prep *Prepared) bool {
	last := lastDTS(path)
	return last >= 0 && last/ticksPerMS >= prep.EndMS-endsFrames*1000/max(1, prep.ClockFPS)
}

// lastDTS is the DTS of the last picture that begins in a file, -1 where there is none.
func lastDTS(path string) int64 {
	file, err := os.Open(path)
	if err != nil {
		return -1
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return -1
	}
	for window := int64(lastBytes); ; window *= 4 {
		from := max(0, info.Size()-window) / tsPacket * tsPacket
		data, err := io.ReadAll(io.NewSectionReader(file, from, info.Size()-from))
		if err != nil {
			return -1
		}
		last := int64(-1)
		for ; len(data) >= tsPacket && data[0] == tsSync; data = data[tsPacket:] {
			if pes := mpegts.VideoPES(data[:tsPacket]); pes != nil {
				_, last = mpegts.Times(pes)
			}
		}
		if last >= 0 || from == 0 || window >= mostLastBytes {
			return last
		}
	}
}
