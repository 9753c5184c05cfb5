package media

const (
	// padSegments follow the source. MistProcLivepeer never sends what follows its last cut and
	// drops what is in flight when its source ends, and a push has to see the first of them, at
	// which it stops, while the process still runs: each costs a transcoder next to nothing, and
	// Mist a tenth of a second at least.
	padSegments = 12

	// padPictures is how much of the last segment each of them holds. Its start decodes without its
	// end.
	padPictures = 8
)

// pad writes the padding: the start of the last segment, again and again.
func (b *body) pad() error {
	c := b.clock
	if len(b.tail) == 0 {
		return errNoPictures
	}
	last := len(c.segments) - 1
	at := c.segments[last].start + c.stride(c.frames(last))
	b.longest = max(b.longest, at-c.segments[last].start)
	c.stop = at - (c.delay+leastHole/2)*c.grid()
	stride := max(minStride, c.stride(padPictures))
	base := c.segments[last].start
	for range padSegments {
		for i, p := range b.tail {
			p.pts += at - base
			p.dts += at - base
			if err := b.mux.write(p, i == 0); err != nil {
				return err
			}
		}
		at += stride
	}
	b.longest = max(b.longest, stride)
	return nil
}
