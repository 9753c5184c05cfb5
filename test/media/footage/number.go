package footage

import (
	"fmt"
	"strings"
)

const (
	// The fields lie in the upper half of the picture, over its whole width: large enough to be read
	// at a thumbnail's size and a telephone's bit rate.
	fieldColumns, fieldRows = 8, 2
	// numberBits are a number's; checkBits behind them tell a number from a black or torn picture.
	numberBits, checkBits = 12, 4

	// ThumbWidth and ThumbHeight are the gray picture that ReadNumber takes: ten pixels a field.
	ThumbWidth, ThumbHeight = 80, 40
	thumbField              = ThumbWidth / fieldColumns
	// fieldEdge is left out on all sides, where scalers and codecs mix neighbours.
	fieldEdge = 3
	// leastContrast parts a picture with white fields from one that is all gray.
	leastContrast = 60
)

// number is the filters that burn numbers into a picture, counted from first. Each counts for
// perFrame pictures.
func number(first, perFrame int) string {
	bit := func(i int) string {
		return fmt.Sprintf(`mod(floor(floor((n+%d)/%d)/%d),2)`, first*perFrame, perFrame, 1<<i)
	}
	filters := []string{"drawbox=x=0:y=0:w=iw:h=ih/2:color=black:t=fill"}
	for i := range numberBits + checkBits {
		var on string
		if i < numberBits {
			on = bit(i)
		} else {
			var covered []string
			for j := i - numberBits; j < numberBits; j += checkBits {
				covered = append(covered, bit(j))
			}
			on = "1-mod(" + strings.Join(covered, "+") + ",2)" // all black is no number
		}
		filters = append(filters, fmt.Sprintf("drawbox=x=iw*%d/%d:y=ih*%d/%d:w=iw/%d:h=ih/%d:color=white:t=fill:enable='%s'",
			i%fieldColumns, fieldColumns, i/fieldColumns, 2*fieldRows, fieldColumns, 2*fieldRows, on))
	}
	return strings.Join(filters, ",")
}

// ReadNumber reads the number of a picture that was brought to ThumbWidth x ThumbHeight gray pixels.
func ReadNumber(thumb []byte) (n int, ok bool) {
	var level [numberBits + checkBits]int
	low, high := 255, 0
	for i := range level {
		level[i] = field(thumb, i%fieldColumns, i/fieldColumns)
		low, high = min(low, level[i]), max(high, level[i])
	}
	if high-low < leastContrast {
		return 0, false
	}
	var check [checkBits]int // the parities of the bits that each covers
	for i, l := range level {
		relative := float64(l-low) / float64(high-low)
		on := 0
		switch {
		case relative > 0.65:
			on = 1
		case relative > 0.35: // two pictures in one
			return 0, false
		}
		if i < numberBits {
			n |= on << i
			check[i%checkBits] ^= on
		} else if check[i%checkBits] == on { // numberBits is a multiple of checkBits
			return 0, false
		}
	}
	return n, true
}

func field(thumb []byte, column, row int) int {
	sum, count := 0, 0
	for y := row*thumbField + fieldEdge; y < (row+1)*thumbField-fieldEdge; y++ {
		for x := column*thumbField + fieldEdge; x < (column+1)*thumbField-fieldEdge; x++ {
			sum += int(thumb[y*ThumbWidth+x])
			count++
		}
	}
	return sum / count
}
