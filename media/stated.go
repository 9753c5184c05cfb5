package media

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"sync"

	"weir/media/mpegts"
)

// tickRate is the bitstream filter that makes an H264 track state a rate. Mist reads a track's rate
// from there, and players some of their timing.
func tickRate(rate Rate) string {
	const ticksPerFrame = 2 // H264 counts fields
	return fmt.Sprintf("h264_metadata=tick_rate=%d/%d", ticksPerFrame*rate.Num, rate.Den)
}

// bounded is the rate in numbers that a stream's 32 bits hold.
func (r Rate) bounded() Rate {
	const most = 1 << 24
	if r.Num < most && r.Den < most {
		return r
	}
	return thousandths(r.FPS())
}

func thousandths(fps float64) Rate {
	const den = 1000
	return Rate{int64(math.Round(fps * den)), den}
}

// mostSets bounds how many sequence parameter sets a rendition may have. A transcoder has one, and
// there are some at the most in an attempt.
const mostSets = 64

var errManySets = fmt.Errorf("it has more than %d sequence parameter sets", mostSets)

// sets are H264's sequence parameter sets in the order in which they first come.
type sets struct {
	order    []string
	known    map[string]bool
	pictures []byte // those in which they come
}

// add takes a picture.
func (s *sets) add(data []byte) error {
	fresh := false
	for set := range setsOf(data) {
		if s.known[string(set)] {
			continue
		}
		if len(s.order) == mostSets {
			return errManySets
		}
		if s.known == nil {
			s.known = map[string]bool{}
		}
		fresh = true
		s.known[string(set)] = true
		s.order = append(s.order, string(set))
	}
	if fresh {
		s.pictures = append(s.pictures, data...)
	}
	return nil
}

// setsOf gives a picture's sequence parameter sets.
func setsOf(data []byte) func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for unit := range mpegts.Units(data) {
			if len(unit) > 0 && unit[0]&0x1f == h264SPS && !yield(bytes.TrimRight(unit, "\x00")) {
				return
			}
		}
	}
}

// statings are sets that were given a rate. Transcoders make the same ones again and again, and to
// make one anew takes a program.
type statings struct {
	mu    sync.Mutex
	known map[stating][]byte
}

type stating struct {
	set  string
	rate Rate
}

// mostStatings are a quarter of a megabyte.
const mostStatings = 1000

// stating gives for each set the one that states a rate and is the same otherwise.
func (t *Tools) stating(ctx context.Context, s *sets, rate Rate) (map[string][]byte, error) {
	all := map[string][]byte{}
	t.statings.mu.Lock()
	for _, set := range s.order {
		if stated, known := t.statings.known[stating{set, rate}]; known {
			all[set] = stated
		}
	}
	t.statings.mu.Unlock()
	if len(all) == len(s.order) {
		return all, nil
	}
	var out bytes.Buffer
	if err := run(ctx, t.ffmpeg(), bytes.NewReader(s.pictures), &out, "-hide_banner", "-loglevel", "error",
		"-protocol_whitelist", "pipe", "-f", "h264", "-i", "pipe:0", "-c", "copy", "-copyinkf",
		"-bsf:v", tickRate(rate), "-f", "h264", "pipe:1"); err != nil {
		return nil, err
	}
	// All that the pictures hold come back, in their order.
	var was, is [][]byte
	for set := range setsOf(s.pictures) {
		was = append(was, set)
	}
	for set := range setsOf(out.Bytes()) {
		is = append(is, set)
	}
	if len(is) != len(was) {
		return nil, fmt.Errorf("%d of its %d sequence parameter sets could be given another rate", len(is), len(was))
	}
	t.statings.mu.Lock()
	defer t.statings.mu.Unlock()
	if t.statings.known == nil || len(t.statings.known) > mostStatings {
		t.statings.known = map[stating][]byte{}
	}
	for i, set := range was {
		all[string(set)] = bytes.Clone(is[i])
		t.statings.known[stating{string(set), rate}] = all[string(set)]
	}
	return all, nil
}

// delimiter begins each picture in MPEG-TS.
var delimiter = []byte{0, 0, 0, 1, h264AUD, 0xf0}

// stated is a picture with other parameter sets, and with the delimiter before it.
func stated(data []byte, sets map[string][]byte) []byte {
	var with []byte
	same, first := true, true
	for unit := range mpegts.Units(data) {
		if first && (len(unit) == 0 || unit[0]&0x1f != h264AUD) {
			with, same = append(with, delimiter...), false
		}
		set := bytes.TrimRight(unit, "\x00")
		if other, known := sets[string(set)]; known {
			unit, same = append(bytes.Clone(other), unit[len(set):]...), false
		}
		if first {
			with = append(with, 0)
		}
		first = false
		with = append(append(with, 0, 0, 1), unit...)
	}
	if same {
		return data
	}
	return with
}
