package media

import (
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
)

const (
	// clipTicks is by how much a bound may miss a frame and mean it still: half of a millisecond,
	// as callers count whole ones.
	clipTicks = ticksPerMS / 2

	// clipStill is from when on a frame that began before a clip belongs to it: it is a still then,
	// which a player shows when the clip begins. Less of one would only make the clip's rate uneven.
	clipStill = 100 * ticksPerMS

	// clipSlackUS is by how much a clip may end behind its source: sound that lasts longer than the
	// picture, and headers that round, make players show a longer one.
	clipSlackUS = 1 * second

	// clipSoundUS is the least sound that a clip is given: a packet of it.
	clipSoundUS = 25_000

	// clipLeadUS is how long before a clip's begin reading starts, where a file has an index.
	clipLeadUS = 10 * second
)

// A Clip is which part of a source is asked for, from its first picture on.
type Clip struct {
	StartUS, EndUS int64
	// Within: what lies outside of the source is left out, as long as something is left.
	Within bool
}

// A Cut is the part of a source that stands for all of it, in the source's own time.
type Cut struct {
	StartUS int64 `json:"start_us"`
	EndUS   int64 `json:"end_us"`
}

// A lineCut is where the pictures of a clip are cut out of their track.
type lineCut struct {
	fromUS, toUS int64 // between the pictures' times; noTime: at the track's end
	from, to     int   // the same as places in the order in which they are shown
	stillUS      int64 // when the first one is shown, where it began before; else noTime
	copies       bool  // its packets lie together, and begin with a keyframe
}

// Clip is the source cut to [start, end) of what a player shows, as if an edit list hid the rest. The
// picture is copied where the cut lies so that nothing is needed of what is cut off, else encoded;
// sound is encoded and cut at its sample. A clip that the source has not is CodeClipOutside. The
// receiver stays as it is, and has to have been probed by this process.
func (s Source) Clip(c Clip) (Source, error) {
	length := toUS(s.line.end())
	if c.Within {
		c.StartUS, c.EndUS = max(c.StartUS, 0), min(c.EndUS, length)
	}
	if c.StartUS < 0 || c.StartUS >= length || c.EndUS <= c.StartUS || c.EndUS > length+clipSlackUS {
		return Source{}, &Error{
			Code: CodeClipOutside, Op: "clip",
			Text: fmt.Sprintf("the clip from %s to %s is not in the source, which lasts %s; ask for a part of it",
				seconds(c.StartUS), seconds(c.EndUS), seconds(length)),
		}
	}
	whole := s.line
	s.line = whole.clip(toTicks(c.StartUS), toTicks(c.EndUS), s.Video.Rate)
	s.Cut = &Cut{StartUS: whole.startUS + c.StartUS, EndUS: whole.startUS + c.EndUS}
	s.DurationUS = toUS(s.line.end())
	s.Video.Frames, s.Video.StartUS = int64(len(s.line.ticks)), s.line.startUS
	s.Video.Rate, s.Video.Variable = s.line.rate, !s.line.even
	s.Audio = s.Audio.clip(s.Cut)
	return s, nil
}

func seconds(us int64) string {
	return strconv.FormatFloat(float64(us)/second, 'f', 3, 64) + " s"
}

// clip is the line of what is shown from one time to another.
func (l *timeline) clip(start, end int64, said Rate) *timeline {
	at := func(t int64) int {
		return sort.Search(len(l.ticks), func(i int) bool { return l.ticks[i] >= t-clipTicks })
	}
	from, to := at(start), at(end)
	still := from > 0 && (from == to || l.ticks[from]-start > clipStill)
	if still { // the frame before is shown when the clip begins
		from--
	}
	cut := &lineCut{fromUS: noTime, toUS: noTime, stillUS: noTime, from: from, to: to}
	between := func(rank int) int64 { return l.startUS + toUS((l.ticks[rank-1]+l.ticks[rank])/2) }
	if from > 0 {
		cut.fromUS = between(from)
	}
	if to < len(l.ticks) {
		cut.toUS = between(to)
	}
	clipped := &timeline{flags: l.flags, ticks: slices.Clone(l.ticks[from:to]), delay: l.delay, cut: cut}
	if still {
		clipped.ticks[0] = start
		cut.stillUS = l.startUS + toUS(start)
	}
	base := clipped.ticks[0]
	for i := range clipped.ticks {
		clipped.ticks[i] -= base
	}
	clipped.startUS = l.startUS + toUS(base)
	clipped.rank = l.clipRanks(cut)
	clipped.measure(said)
	if len(clipped.ticks) == 1 { // no two frames tell how long one is
		clipped.rate, clipped.dense, clipped.even = l.rate, l.dense, l.even
	}
	return clipped
}

// clipRanks says which frame of a clip each packet is, and whether those packets can be copied: one
// behind the other from a keyframe on, so that all that they need is among them.
func (l *timeline) clipRanks(cut *lineCut) []int32 {
	if l.rank == nil {
		return nil
	}
	ranks := make([]int32, len(l.rank))
	first, last, kept := -1, -1, 0
	for i, rank := range l.rank {
		ranks[i] = notShown
		if rank == notShown || int(rank) < cut.from || int(rank) >= cut.to {
			continue
		}
		ranks[i] = rank - int32(cut.from)
		if first < 0 {
			first = i
		}
		last = i
		kept++
	}
	cut.copies = first >= 0 && kept == last-first+1 && l.flags[first]&flagKey != 0
	return ranks
}

// clip is the sound of a clip, nil where there is none.
func (a *Audio) clip(cut *Cut) *Audio {
	if a == nil {
		return nil
	}
	clipped := *a
	end := min(a.StartUS+a.DurationUS, cut.EndUS)
	clipped.StartUS = max(a.StartUS, cut.StartUS)
	if clipped.DurationUS = end - clipped.StartUS; clipped.DurationUS < clipSoundUS {
		return nil
	}
	return &clipped
}

// filters cut a clip's pictures out of what is decoded.
func (c *lineCut) filters(timed bool) []string {
	if c == nil {
		return nil
	}
	if !timed { // decoders guess times, and count
		return []string{fmt.Sprintf("trim=start_frame=%d:end_frame=%d", c.from, c.to)}
	}
	var bounds []string
	if c.fromUS != noTime {
		bounds = append(bounds, fmt.Sprintf("start=%dus", c.fromUS))
	}
	if c.toUS != noTime {
		bounds = append(bounds, fmt.Sprintf("end=%dus", c.toUS))
	}
	var filters []string
	if len(bounds) > 0 {
		filters = append(filters, "trim="+strings.Join(bounds, ":"))
	}
	if c.stillUS != noTime {
		filters = append(filters, fmt.Sprintf("setpts=if(eq(N\\,0)\\,%d/1000000/TB\\,PTS)", c.stillUS))
	}
	return filters
}

// filter cuts a clip's sound, whose source's times are moved by later.
func (c *Cut) filter(later int64) string {
	return fmt.Sprintf("atrim=start=%dus:end=%dus", c.StartUS+later, c.EndUS+later)
}

// near gives ffmpeg's arguments for an input of which a clip alone is read: where the file has an
// index, what lies long before it is passed over. What is cut off is cut off by a filter.
func (s Source) near(in []string) []string {
	if s.Cut == nil || s.Cut.StartUS <= clipLeadUS || !strings.HasPrefix(s.Container, "mov,") && !strings.HasPrefix(s.Container, "matroska,") {
		return in
	}
	from := strconv.FormatFloat(float64(s.Cut.StartUS-clipLeadUS)/second, 'f', 6, 64)
	return append([]string{"-seek_timestamp", "1", "-noaccurate_seek", "-ss", from}, in...)
}
