package footage

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// Of each kind there are two or more, and each file has a name of its own.
func TestCasesAreManifold(t *testing.T) {
	t.Parallel()
	kinds, names := map[string]int{}, map[string]bool{}
	for _, c := range Cases() {
		kinds[c.Kind]++
		require.False(t, names[c.Name], c.Name)
		names[c.Name] = true
		require.Equal(t, c.Outcome == OutcomeOK, len(c.Numbers) > 0, c.Name)
	}
	for kind, n := range kinds {
		require.GreaterOrEqual(t, n, 2, kind)
	}
}

// thumb draws what number makes ffmpeg draw.
func thumb(n int) []byte {
	picture := make([]byte, ThumbWidth*ThumbHeight)
	for i := range numberBits + checkBits {
		on := n>>i&1 == 1
		if i >= numberBits {
			on = true
			for j := i - numberBits; j < numberBits; j += checkBits {
				on = on != (n>>j&1 == 1)
			}
		}
		for y := range thumbField {
			for x := range thumbField {
				if on {
					picture[(i/fieldColumns*thumbField+y)*ThumbWidth+i%fieldColumns*thumbField+x] = 235
				}
			}
		}
	}
	return picture
}

func TestReadNumber(t *testing.T) {
	t.Parallel()
	for n := range 1 << numberBits {
		got, ok := ReadNumber(thumb(n))
		require.True(t, ok)
		require.Equal(t, n, got)
	}
}

// A picture without a number, or with two, is not read as one.
func TestReadNoNumber(t *testing.T) {
	t.Parallel()
	_, ok := ReadNumber(make([]byte, ThumbWidth*ThumbHeight))
	require.False(t, ok)
	mixed := thumb(21)
	for i, b := range thumb(42) {
		mixed[i] = mixed[i]/2 + b/2
	}
	_, ok = ReadNumber(mixed)
	require.False(t, ok)
	for bit := range numberBits { // one field that is read wrong
		spoilt := thumb(21)
		other := thumb(21 ^ 1<<bit)
		for y := range thumbField {
			at := (bit/fieldColumns*thumbField+y)*ThumbWidth + bit%fieldColumns*thumbField
			copy(spoilt[at:at+thumbField], other[at:at+thumbField])
		}
		_, ok = ReadNumber(spoilt)
		require.False(t, ok, "bit %d", bit)
	}
}

// Beeps are found to a millisecond, with their pitch, in noise.
func TestBeeps(t *testing.T) {
	t.Parallel()
	const hertz, count, late = 48000, 30, 0.123
	noise := rand.New(rand.NewPCG(1, 2))
	samples := make([]float32, int((count*BeepEvery+1)*hertz))
	for i := range samples {
		at := float64(i)/hertz - late
		k := math.Floor(at / BeepEvery)
		samples[i] = float32(0.01 * (noise.Float64() - 0.5))
		if in := at - k*BeepEvery; at >= 0 && k < count && in < BeepLength {
			frequency := beepLow + beepStep*math.Mod(k, BeepCount)
			samples[i] += float32(0.5 * math.Sin(2*math.Pi*frequency*at))
		}
	}
	found := Beeps(samples, hertz)
	require.Len(t, found, count)
	for k, b := range found {
		require.InDelta(t, Content(k)+late, b.At, 0.0015)
		require.Equal(t, k%BeepCount, b.Pitch)
	}
	require.Empty(t, Beeps(make([]float32, hertz), hertz))
}

func TestTimes(t *testing.T) {
	t.Parallel()
	truth := Truth{Rate: Rate{10, 1}, Numbers: []int{5, 6, 8, 9}, Steps: map[int]float64{8: 3}}
	require.InDeltaSlice(t, []float64{0, 0.1, 3.3, 3.4}, truth.Times(), 1e-9)
	require.True(t, truth.Variable())
	require.False(t, (&Truth{Numbers: []int{5, 6, 7}}).Variable())
}
