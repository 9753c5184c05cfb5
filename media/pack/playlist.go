package pack

import (
	"bytes"
	"fmt"
	"math"
	"slices"
)

// A Playlist is a rung as HLS.
type Playlist struct {
	File     string   // the media playlist
	Segments []string // in the order in which they are played
	Bytes    int64    // of the segments
	Seconds  float64
	// PeakBitRate is the greatest of all runs of segments that last about a target's length, as HLS
	// defines it; both are bits a second.
	PeakBitRate, MeanBitRate int64
	Codecs                   string // as CODECS has it
	FrameRate                float64
}

// Files are all, in the order in which they may be uploaded.
func (p Playlist) Files() []string { return append(slices.Clone(p.Segments), p.File) }

// A span is a segment: when it is played, in ticks from the zero, and what it holds.
type span struct {
	from, to int64
	name     string
	bytes    int64
}

// mediaVersion is HLS's: fractions of seconds need 3, EXT-X-MAP in a list of whole segments 6.
const mediaVersion = 6

// mediaPlaylist is the list of spans; init is named before them where they need one.
func mediaPlaylist(spans []span, init string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "#EXTM3U\n#EXT-X-VERSION:%d\n#EXT-X-TARGETDURATION:%d\n", mediaVersion, targetDuration(spans))
	b.WriteString("#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-PLAYLIST-TYPE:VOD\n#EXT-X-INDEPENDENT-SEGMENTS\n")
	if init != "" {
		fmt.Fprintf(&b, "#EXT-X-MAP:URI=%q\n", init)
	}
	for _, s := range spans {
		// Rounded at both ends, so that the sum does not drift.
		fmt.Fprintf(&b, "#EXTINF:%.6f,\n%s\n", micro(s.to)-micro(s.from), s.name)
	}
	b.WriteString("#EXT-X-ENDLIST\n")
	return b.Bytes()
}

// micro is seconds, rounded to the microsecond.
func micro(ticks int64) float64 { return math.Round(float64(ticks)/clock*1e6) / 1e6 }

// targetDuration is in seconds: no span is longer.
func targetDuration(spans []span) int64 {
	longest := int64(1)
	for _, s := range spans {
		longest = max(longest, s.to-s.from)
	}
	return (longest + clock - 1) / clock
}

// bitRates are a playlist's peak and mean, in bits a second. The peak is the greatest of all
// runs of segments that last between half and one and a half target durations (RFC 8216, 4.1).
func bitRates(spans []span) (peak, mean int64) {
	const byteBits = 8
	target := targetDuration(spans) * clock
	rate := func(bytes, ticks int64) int64 {
		return int64(math.Ceil(float64(bytes) * byteBits * clock / float64(max(1, ticks))))
	}
	var all int64
	for i, first := range spans {
		all += first.bytes
		var bytes int64
		for _, s := range spans[i:] {
			bytes += s.bytes
			ticks := s.to - first.from
			if ticks*2 > target*3 {
				break
			}
			if ticks*2 >= target {
				peak = max(peak, rate(bytes, ticks))
			}
		}
	}
	mean = rate(all, spans[len(spans)-1].to-spans[0].from)
	return max(peak, mean), mean
}
