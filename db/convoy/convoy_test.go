package convoy_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"weir/db/convoy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	errBad  = errors.New("a bad one")
	errGone = errors.New("it was called off")
)

// road is where convoys go: it notes who went with whom, and stops them on request.
type road struct {
	convoy.Convoy[int]

	mu   sync.Mutex
	went [][]int
	// stop holds up whoever begins, bad fails or panics.
	stop map[int]chan struct{}
	bad  map[int]any
}

func newRoad() *road {
	r := &road{stop: map[int]chan struct{}{}, bad: map[int]any{}}
	r.Patience = time.Hour
	r.Together = func(ctx context.Context, all []int) error {
		for _, n := range all {
			if stop := r.stop[n]; stop != nil {
				select {
				case <-stop:
				case <-ctx.Done():
					return context.Cause(ctx)
				}
			}
			switch what := r.bad[n].(type) {
			case error:
				return what
			case string:
				panic(what)
			}
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.went = append(r.went, slices.Sorted(slices.Values(all)))
		return nil
	}
	return r
}

// past are those that have gone.
func (r *road) past() [][]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.went)
}

// behind has all go while 0 is at work, and then lets that go on.
func (r *road) behind(t *testing.T, all ...int) (errs []error) {
	t.Helper()
	stop := make(chan struct{})
	r.stop[0] = stop
	errs = make([]error, len(all))
	var group sync.WaitGroup
	group.Go(func() { r.Do(t.Context(), 0) })
	synctest.Wait()
	for i, n := range all {
		group.Go(func() {
			defer func() {
				if p := recover(); p != nil {
					errs[i] = errors.New(p.(string))
				}
			}()
			errs[i] = r.Do(t.Context(), n)
		})
		synctest.Wait() // in this order
	}
	close(stop)
	group.Wait()
	return errs
}

// Whoever comes alone goes at once and alone; those that come meanwhile go together.
func TestTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRoad()
		require.NoError(t, r.Do(t.Context(), 7))
		require.Equal(t, []error{nil, nil, nil}, r.behind(t, 1, 2, 3))
		require.NoError(t, r.Do(t.Context(), 8))
		require.Equal(t, [][]int{{7}, {0}, {1, 2, 3}, {8}}, r.past())
	})
}

func TestMost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRoad()
		r.Most = 2
		require.Equal(t, make([]error, 5), r.behind(t, 1, 2, 3, 4, 5))
		require.Equal(t, [][]int{{0}, {1, 2}, {3, 4}, {5}}, r.past())
	})
}

// One that fails, or panics, does so alone, and the others come through.
func TestErrorIsOnesOwn(t *testing.T) {
	t.Parallel()
	for name, bad := range map[string]any{"error": errBad, "panic": errBad.Error()} {
		for _, which := range []int{1, 3} { // the one that leads, and another
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					r := newRoad()
					r.bad[which] = bad
					for i, err := range r.behind(t, 1, 2, 3, 4) {
						if i+1 == which {
							require.EqualError(t, err, errBad.Error())
							continue
						}
						require.NoError(t, err)
					}
					slices.SortFunc(r.went, slices.Compare)
					want := slices.DeleteFunc([][]int{{0}, {1}, {2}, {3}, {4}}, func(w []int) bool { return w[0] == which })
					require.Equal(t, want, r.past())
					require.NoError(t, r.Do(t.Context(), 9), "it goes on")
				})
			})
		}
	}
}

// The first, which goes alone, leaves the way free when it panics.
func TestPanicOfTheFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRoad()
		r.bad[1] = errBad.Error()
		require.Panics(t, func() { _ = r.Do(t.Context(), 1) })
		require.NoError(t, r.Do(t.Context(), 2))
	})
}

// A caller that is called off while it waits goes nowhere; one that is on its way, were it who
// leads, ends nobody's way, its own neither.
func TestCalledOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRoad()
		first, shared := make(chan struct{}), make(chan struct{})
		r.stop[0], r.stop[1] = first, shared
		errs := make([]error, 4)
		var group sync.WaitGroup
		var offs []context.CancelCauseFunc
		for n := range 4 {
			ctx, off := context.WithCancelCause(t.Context())
			defer off(nil)
			offs = append(offs, off)
			group.Go(func() { errs[n] = r.Do(ctx, n) })
			synctest.Wait()
		}
		offs[2](errGone) // waits
		synctest.Wait()
		require.ErrorIs(t, errs[2], errGone)
		close(first)
		synctest.Wait()
		offs[1](errGone) // leads 3
		offs[3](errGone)
		synctest.Wait()
		require.Equal(t, [][]int{{0}}, r.past())
		close(shared)
		group.Wait()
		require.Equal(t, []error{nil, nil, errGone, nil}, errs)
		require.Equal(t, [][]int{{0}, {1, 3}}, r.past())
	})
}

// One that is called off, and has the lead with nobody along, is done nothing of.
func TestCalledOffAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRoad()
		ctx, off := context.WithCancelCause(t.Context())
		off(errGone)
		r.stop[1] = make(chan struct{})
		require.ErrorIs(t, r.Do(ctx, 1), errGone)
		require.Empty(t, r.past())
	})
}

// Who takes long is in nobody's way for longer than they are patient.
func TestPatience(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRoad()
		r.Patience = time.Second
		r.stop[0] = make(chan struct{})
		var group sync.WaitGroup
		group.Go(func() { _ = r.Do(t.Context(), 0) })
		synctest.Wait()
		began := time.Now()
		for _, n := range []int{1, 2} {
			group.Go(func() { _ = r.Do(t.Context(), n) })
		}
		synctest.Wait()
		require.Empty(t, r.past())
		time.Sleep(time.Second) //nolint:forbidigo // of the bubble's clock
		synctest.Wait()
		require.Equal(t, [][]int{{1, 2}}, r.past())
		require.Equal(t, time.Second, time.Since(began))
		require.NoError(t, r.Do(t.Context(), 3), "at once")
		close(r.stop[0])
		group.Wait()
		require.Equal(t, [][]int{{1, 2}, {3}, {0}}, r.past())
	})
}

// What goes together has a bound of its own, and then each goes by its own context.
func TestWithin(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRoad()
		r.Within = time.Minute
		r.stop[2] = make(chan struct{})
		var group sync.WaitGroup
		errs := make([]error, 2)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		began := time.Now()
		group.Go(func() { errs[0] = r.Do(ctx, 2) })
		group.Go(func() { errs[1] = r.Do(ctx, 2) })
		group.Wait()
		require.ErrorIs(t, errs[0], context.DeadlineExceeded)
		require.ErrorIs(t, errs[1], context.DeadlineExceeded)
		require.Equal(t, time.Hour, time.Since(began))
	})
}

// Under the race detector: all of many come through, each once, and fewer ways than they.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	const callers, each = 32, 50
	var counts [callers * each]int
	ways := 0
	var mu sync.Mutex
	c := convoy.Convoy[int]{Together: func(_ context.Context, all []int) error {
		mu.Lock()
		defer mu.Unlock()
		ways++
		if len(all) > 1 && slices.ContainsFunc(all, func(n int) bool { return n%97 == 0 }) {
			return errBad
		}
		for _, n := range all {
			counts[n]++
		}
		return nil
	}}
	var group sync.WaitGroup
	for i := range callers {
		group.Go(func() {
			for n := range each {
				if err := c.Do(t.Context(), i*each+n); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	for n, count := range counts {
		require.Equal(t, 1, count, n)
	}
}
