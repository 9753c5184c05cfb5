package evidence

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"weir/test/media/footage"
)

// sourceSlack is how far a maker's file may be from what it says: Matroska counts milliseconds.
const sourceSlack = 0.0016

// looseFrames may be more or less where the cut is not at a frame: with B-frames, some of those
// behind the cut are kept.
const looseFrames = 3

// Expect is what any rendition of a case's file has to be. Where ffmpeg's own decode of the file
// tells the truth, the times are those of the decode, and the case's word is checked by it.
func Expect(ctx context.Context, path string, c *footage.Case) (*Want, error) {
	want := &Want{Truth: c.Truth, Shown: c.Times()}
	if !c.Decodes && !c.Cut {
		return want, nil
	}
	picture, err := Look(ctx, path, first(c.Stream, "v:0"))
	if err != nil {
		return nil, err
	}
	numbers := picture.Numbers()
	switch {
	case len(numbers) == 0:
		return nil, fmt.Errorf("%s: the maker's file shows nothing", c.Name)
	case c.Cut:
		for i := 1; i < len(numbers); i++ { // the last ones may be torn
			if numbers[i] <= numbers[i-1] {
				numbers, picture.Frames = numbers[:i], picture.Frames[:i]
				break
			}
		}
		want.Numbers = numbers
	case c.Loose:
		if off := len(numbers) - len(c.Numbers); off < -looseFrames || off > looseFrames || !slices.IsSorted(numbers) || numbers[0] < 0 {
			return nil, fmt.Errorf("%s: the maker's file shows %v, not about %v", c.Name, numbers, c.Numbers)
		}
		want.Numbers = numbers
	default:
		if wrong := differences(numbers, c.Numbers); wrong != "" {
			return nil, fmt.Errorf("%s: the maker's file is not what it says: %s", c.Name, wrong)
		}
	}
	shown := picture.Times()
	if !c.Loose && !c.Cut {
		for i, t := range shown {
			if off := t - want.Shown[i]; math.Abs(off) > sourceSlack {
				return nil, fmt.Errorf("%s: the maker's file is not what it says: frame %d is %.1f ms off", c.Name, numbers[i], 1000*off)
			}
		}
	}
	want.Shown = shown
	if c.Sound != nil && !c.Cut {
		sound, err := Listen(ctx, path, first(c.Listen, "a:0"))
		if err != nil {
			return nil, err
		}
		own := &Result{}
		if own.sound(picture, sound, want); len(own.Problems) > 0 {
			return nil, fmt.Errorf("%s: the maker's file is not what it says: %s", c.Name, strings.Join(own.Problems, "; "))
		}
		want.SourceSync = own.Sync
	}
	return want, nil
}

func first(text, otherwise string) string {
	if text != "" {
		return text
	}
	return otherwise
}
