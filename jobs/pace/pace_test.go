package pace_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"weir/jobs/pace"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func at(seconds float64) time.Time { return start.Add(time.Duration(seconds * float64(time.Second))) }

func TestOf(t *testing.T) {
	t.Parallel()
	steady := func(from, to, rate float64) (s pace.Samples) {
		for x := from; x <= to; x++ {
			s = s.Add(at(x), rate*(x-from))
		}
		return s
	}
	for name, c := range map[string]struct {
		samples pace.Samples
		now     float64
		known   bool
		rate    float64
		left    float64
	}{
		"nothing":           {nil, 5, false, 0, 0},
		"a moment":          {steady(0, 1, 2), 1, false, 0, 0},
		"steady":            {steady(0, 20, 2), 20, true, 2, 30},
		"nothing comes":     {pace.Samples{{at(0), 0}}, 3, false, 0, 0},
		"done":              {steady(0, 50, 2), 50, true, 2, 0},
		"a slow start":      {append(pace.Samples{{at(0), 0}}, steady(20, 60, 1)...), 60, true, 1, 60},
		"between two looks": {steady(0, 20, 2), 20.5, true, 2, 30},
		"back":              {pace.Samples{{at(0), 9}, {at(2), 5}, {at(4), 1}}, 4, false, 0, 0},
	} {
		e, known := pace.Of(c.samples, 100, at(c.now))
		require.Equal(t, c.known, known, name)
		require.InDelta(t, c.rate, e.Rate, 0.05*c.rate, name)
		require.InDelta(t, c.left, e.Left.Seconds(), 0.05*c.left, name)
	}
}

// Where nothing comes any more the end moves away, and does not come nearer.
func TestOfAStall(t *testing.T) {
	t.Parallel()
	var s pace.Samples
	for x := range 31 {
		s = s.Add(at(float64(x)), float64(x))
	}
	before, known := pace.Of(s, 100, at(30))
	require.True(t, known)
	after, known := pace.Of(s, 100, at(60))
	require.True(t, known)
	require.Greater(t, after.Left, before.Left)
}

// A day's samples take no more room than an hour's.
func TestSamplesAreBounded(t *testing.T) {
	t.Parallel()
	var s pace.Samples
	for x := range 24 * 3600 {
		s = s.Add(at(float64(x)), float64(x))
	}
	require.LessOrEqual(t, len(s), 256)
	e, known := pace.Of(s, 100_000, at(24*3600-1))
	require.True(t, known)
	require.InDelta(t, 1, e.Rate, 0.01)
	for range 1000 { // within a moment
		s = s.Add(at(24*3600), 24*3600)
	}
	require.LessOrEqual(t, len(s), 256)
}

// A speed that changes for good, by a third at the most, is followed: from a third of the way
// on the end is told to a tenth of the whole on the mean, though nobody can know of a change
// before it comes.
func TestOfSpeedsThatChange(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	for name, speedAt := range map[string]func(part float64) float64{
		"slower at half":    func(part float64) float64 { return 1 - 0.3*math.Round(part) },
		"faster at half":    func(part float64) float64 { return 0.75 + 0.25*math.Round(part) },
		"slower and slower": func(part float64) float64 { return 1.3 - 0.6*part },
		"up and down":       func(part float64) float64 { return 1 + 0.3*math.Sin(6*math.Pi*part) },
	} {
		sum, n := 0.0, 0
		for range 50 {
			const segment = 2.0
			whole, x := 60+random.Float64()*600, 0.0
			var returns []float64
			for done := 0.0; done < whole; done += segment {
				x += min(segment, whole-done) / speedAt(done/whole) * (0.8 + 0.4*random.Float64())
				returns = append(returns, x)
			}
			var s pace.Samples
			back := 0
			for at1 := 0.0; at1 < x; at1++ {
				for back < len(returns) && returns[back] <= at1 {
					back++
				}
				s = s.Add(at(at1), min(float64(back)*segment, whole))
				if at1 < x/3 {
					continue
				}
				e, known := pace.Of(s, whole, at(at1))
				require.True(t, known, name)
				sum, n = sum+math.Abs(at1+e.Left.Seconds()-x)/x, n+1
			}
		}
		t.Logf("%s: wrong by %.1f %% of the whole on the mean", name, 100*sum/float64(n))
		require.Less(t, sum/float64(n), 0.1, name)
	}
}

// What comes back by segments, at a speed that varies about its mean, is told to a tenth
// from a third of the way on.
func TestOfSegments(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		whole, speed, segment := 60+random.Float64()*600, 0.5+random.Float64()*4, 1+random.Float64()
		begin := random.Float64() * 3 // until the first one is back
		var returns []float64
		for done, x := 0.0, begin; done < whole; done += segment {
			x += min(segment, whole-done) / speed * (0.8 + 0.4*random.Float64())
			returns = append(returns, x)
		}
		end := returns[len(returns)-1]
		var s pace.Samples
		for x := 0.0; x < end; x++ {
			done := 0.0
			for i, r := range returns {
				if r <= x {
					done = min(float64(i+1)*segment, whole)
				}
			}
			s = s.Add(at(x), done)
			if x < end/3 {
				continue
			}
			e, known := pace.Of(s, whole, at(x))
			require.True(t, known)
			off := math.Abs(x+e.Left.Seconds()-end) / end
			require.Less(t, off, 0.1, "at %.0f of %.0f s: %s left", x, end, e.Left)
		}
	}
}
