package host

import (
	"context"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"weir/db/dbsqlc"
	"weir/engine"
	"weir/jobs"
	"weir/jobs/jobstest"
	"weir/storage"
)

// However many wait, one look serves them all; and nobody gets one that was begun before
// what it waits for.
func TestLooks(t *testing.T) {
	t.Parallel()
	l := newLooks()
	taken, release := 0, make(chan struct{})
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		l.run(ctx, jobs.PollEvery, func(context.Context, ...uuid.UUID) (*look, error) {
			taken++
			<-release
			return &look{}, nil
		}, func(error) {})
	})
	const waiters = 20
	since := time.Now()
	var waiting sync.WaitGroup
	for range waiters {
		waiting.Go(func() {
			transcode := uuid.New()
			got, err := l.after(ctx, since, transcode)
			require.NoError(t, err)
			require.True(t, got.reading(transcode).began.After(since))
		})
	}
	close(release)
	waiting.Wait()
	stop()
	running.Wait()
	require.LessOrEqual(t, taken, 2, "one, and one for who came while it was taken")
}

// While somebody watches, all is looked at once in a while, and once.
func TestLooksByThemselves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const ticks = 3
		l := newLooks()
		ctx, stop := context.WithTimeout(t.Context(), ticks*jobs.PollEvery+jobs.PollEvery/2)
		defer stop()
		taken := 0
		defer l.watch()()
		l.run(ctx, jobs.PollEvery, func(_ context.Context, of ...uuid.UUID) (*look, error) {
			require.Empty(t, of)
			taken++
			return &look{}, nil
		}, func(error) {})
		require.Equal(t, ticks, taken)
	})
}

// A look is of those that somebody waits for; what is known of the others stays, and is as old as
// it is. Who wants all gets no look that was not.
func TestLooksAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		one, other, gone := engine.Name{Transcode: uuid.New(), Attempt: 1}, engine.Name{Transcode: uuid.New(), Attempt: 1}, engine.Name{Transcode: uuid.New(), Attempt: 1}
		rows := map[engine.Name]*jobs.Rows{one: {}, other: {}, gone: {}}
		var asked [][]uuid.UUID
		l := newLooks()
		ctx, stop := context.WithCancel(t.Context())
		failing := false
		go l.run(ctx, jobs.PollEvery, func(_ context.Context, of ...uuid.UUID) (*look, error) {
			asked = append(asked, of)
			if failing {
				failing = false
				return nil, errBroken
			}
			taken := &look{attempts: map[engine.Name]*jobs.Rows{}}
			for name, is := range rows {
				if len(of) == 0 || slices.Contains(of, name.Transcode) {
					taken.attempts[name] = is
				}
			}
			<-time.After(time.Millisecond)
			return taken, nil
		}, func(error) {})
		after := func(name engine.Name) *look {
			got, err := l.after(ctx, time.Now().Add(-1), name.Transcode) // here time stands still
			require.NoError(t, err)
			return got
		}
		first := after(one)
		require.Len(t, first.attempts, 3)
		stale := rows[other]
		rows[one], rows[other] = &jobs.Rows{}, &jobs.Rows{}
		delete(rows, gone)

		next := after(one)
		require.Same(t, rows[one], next.attempts[one])
		require.Same(t, stale, next.attempts[other], "nobody has asked for it")
		require.Greater(t, next.reading(one.Transcode).number, next.reading(other.Transcode).number)
		require.True(t, next.reading(other.Transcode).began.Equal(first.reading(other.Transcode).began))
		failing = true
		next = after(gone)
		require.NotContains(t, next.attempts, gone)
		require.Same(t, rows[one], next.attempts[one])
		require.Same(t, stale, next.attempts[other])

		whole, err := l.wholeAfter(ctx, time.Now().Add(-1))
		require.NoError(t, err)
		require.Same(t, rows[other], whole.attempts[other])
		require.Equal(t, whole.reading(one.Transcode), whole.reading(other.Transcode))
		after(other)
		again, err := l.wholeAfter(ctx, whole.whole.began.Add(-1))
		require.NoError(t, err)
		require.Same(t, whole, again, "not the newer one, which was of one alone")
		require.Equal(t, [][]uuid.UUID{nil, {one.Transcode}, {gone.Transcode}, {gone.Transcode}, nil, {other.Transcode}}, asked)
		stop()
		synctest.Wait()
	})
}

// However often looks are wanted, they leave as much time as they take.
func TestLooksRest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const takes, asked = 10 * time.Millisecond, time.Second
		l := newLooks()
		ctx, stop := context.WithTimeout(t.Context(), asked)
		defer stop()
		taken := 0
		l.want(wants{all: true})
		l.run(ctx, jobs.PollEvery, func(context.Context, ...uuid.UUID) (*look, error) {
			taken++
			l.want(wants{all: true})
			<-time.After(takes)
			return &look{}, nil
		}, func(error) {})
		require.InDelta(t, asked/takes/2, taken, 1)
	})
}

// lookingHost is a host that can look, whose Mist is silent.
func lookingHost(t *testing.T, b *jobstest.Bundle) *Host {
	t.Helper()
	h := newHost(t, b, &storage.Config{})
	h.Engine, h.looks = &stubEngine{silent: true}, newLooks()
	return h
}

// A host that had nothing in hand asks one statement, which leaves out nothing of what the
// longer ones would find.
func TestIdleHostStillSees(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		begin func(*testing.T, *jobstest.Bundle)
		idle  bool
	}{
		"nothing": {func(*testing.T, *jobstest.Bundle) {}, true},
		"an attempt": {func(t *testing.T, b *jobstest.Bundle) {
			t.Helper()
			b.Place(t, b.Accept(t, "a").ID, jobstest.Host)
		}, false},
		"a file to be stored": {func(t *testing.T, b *jobstest.Bundle) {
			t.Helper()
			b.Run(t, "a")
			b.Exec(t, "UPDATE weir.attempts SET stage = 'cleaned', cleaned_at = now()")
		}, false},
		"a job of an older boot": {func(t *testing.T, b *jobstest.Bundle) {
			t.Helper()
			job, err := b.River.Insert(t.Context(), jobs.ResidueArgs{TranscodeID: uuid.New()}, nil)
			require.NoError(t, err)
			b.Exec(t, "UPDATE weir.river_job SET state = 'running', attempt = 1, attempted_at = now(), attempted_by = ARRAY[$1] WHERE id = $2",
				jobs.ClientID(jobstest.Host, uuid.New()), job.Job.ID)
		}, false},
		"another host's": {func(t *testing.T, b *jobstest.Bundle) {
			t.Helper()
			b.Boot(t, "mist-2", 1)
			b.Place(t, b.Accept(t, "a").ID, "mist-2")
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := jobstest.New(t)
			h := lookingHost(t, b)
			first, err := h.look(t.Context())
			require.NoError(t, err)
			require.False(t, first.idle, "it has not looked yet")
			h.looks.latest = first
			test.begin(t, b)
			next, err := h.look(t.Context())
			require.NoError(t, err)
			require.Equal(t, test.idle, next.idle)
			rows, err := dbsqlc.New().HostLookVersions(t.Context(), b.Pool, h.ID)
			require.NoError(t, err)
			require.Len(t, next.attempts, len(rows))
		})
	}
}

// A look finds the attempts whose renditions are not known before their source is, beside
// others and alone.
func TestLookSeesWhatHasNoRenditions(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	h := lookingHost(t, b)
	planned, unplanned := b.Accept(t, "a", "b").ID, b.Accept(t, "a").ID
	b.Place(t, planned, jobstest.Host)
	b.Place(t, unplanned, jobstest.Host)
	b.Exec(t, "DELETE FROM weir.renditions WHERE transcode_id = $1", unplanned)
	found := func() map[uuid.UUID]int {
		l, err := h.look(t.Context())
		require.NoError(t, err)
		renditions := map[uuid.UUID]int{}
		for name, rows := range l.attempts {
			require.Equal(t, name.Transcode, rows.Transcode.ID)
			renditions[name.Transcode] = len(rows.Renditions)
		}
		return renditions
	}
	require.Equal(t, map[uuid.UUID]int{planned: 2, unplanned: 0}, found())
	b.Exec(t, "UPDATE weir.attempts SET stage = 'cleaned', cleaned_at = now() WHERE transcode_id = $1", planned)
	require.Equal(t, map[uuid.UUID]int{unplanned: 0}, found())
}

// A look at some transcodes finds them as one at all does, and no others.
func TestLookAlone(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	h := lookingHost(t, b)
	planned, unplanned, cleaned, other := b.Accept(t, "a", "b").ID, b.Accept(t, "a").ID, b.Accept(t, "a").ID, b.Accept(t, "a").ID
	for _, id := range []uuid.UUID{planned, unplanned, cleaned, other} {
		b.Place(t, id, jobstest.Host)
	}
	b.Boot(t, "mist-2", 1)
	elsewhere := b.Accept(t, "a").ID
	b.Place(t, elsewhere, "mist-2")
	b.Exec(t, "DELETE FROM weir.renditions WHERE transcode_id = $1", unplanned)
	b.Exec(t, "UPDATE weir.attempts SET stage = 'cleaned', cleaned_at = now() WHERE transcode_id = $1", cleaned)

	whole, err := h.look(t.Context())
	require.NoError(t, err)
	require.Len(t, whole.attempts, 3)
	for _, of := range [][]uuid.UUID{{planned}, {planned, unplanned, cleaned, elsewhere}} {
		alone, err := h.look(t.Context(), of...)
		require.NoError(t, err)
		want := maps.Clone(whole.attempts)
		maps.DeleteFunc(want, func(name engine.Name, _ *jobs.Rows) bool { return !slices.Contains(of, name.Transcode) })
		require.Equal(t, want, alone.attempts)
	}
}

// A look reads anew what was written since the look before, whatever of it that was, and takes
// all else from that one.
func TestLookReadsWhatChanged(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	h := lookingHost(t, b)
	it, other := b.Accept(t, "a", "b").ID, b.Accept(t, "a").ID
	b.Place(t, it, jobstest.Host)
	b.Place(t, other, jobstest.Host)
	of := func(transcode uuid.UUID) engine.Name { return engine.Name{Transcode: transcode, Attempt: 1} }
	look := func(alone ...uuid.UUID) *look {
		began := time.Now()
		l, err := h.look(t.Context(), alone...)
		require.NoError(t, err)
		wanted := wants{all: len(alone) == 0, alone: map[uuid.UUID]bool{}}
		for _, transcode := range alone {
			wanted.alone[transcode] = true
		}
		h.looks.add(l, began, wanted)
		return l
	}
	afresh := func() map[engine.Name]*jobs.Rows {
		l, err := lookingHost(t, b).look(t.Context())
		require.NoError(t, err)
		return l.attempts
	}
	kept := look().attempts[of(other)]
	require.NotNil(t, kept)
	before := look().attempts[of(it)]
	require.Same(t, before, look().attempts[of(it)], "nothing was written")
	for _, change := range []struct{ what, sql string }{
		{"the transcode", "UPDATE weir.transcodes SET priority = priority + 1 WHERE id = $1"},
		{"the same once more", "UPDATE weir.transcodes SET priority = priority + 1 WHERE id = $1"},
		{"the attempt", "UPDATE weir.attempts SET source_bytes = 1 WHERE transcode_id = $1"},
		{"a rendition", "UPDATE weir.renditions SET track_index = 7 WHERE transcode_id = $1 AND name = 'b'"},
		{"one rendition is gone", "DELETE FROM weir.renditions WHERE transcode_id = $1 AND name = 'a'"},
		{"all are", "DELETE FROM weir.renditions WHERE transcode_id = $1"},
		{"the attempt is cleaned up", "UPDATE weir.attempts SET stage = 'cleaned', cleaned_at = now() WHERE transcode_id = $1"},
	} {
		b.Exec(t, change.sql, it)
		whole := look()
		require.NotSame(t, before, whole.attempts[of(it)], change.what)
		require.Equal(t, afresh(), whole.attempts, change.what)
		require.Same(t, kept, whole.attempts[of(other)], change.what)
		before = whole.attempts[of(it)]
	}

	b.Exec(t, "UPDATE weir.attempts SET source_bytes = 1 WHERE transcode_id = $1", other)
	alone := look(other).attempts[of(other)]
	require.NotSame(t, kept, alone)
	b.Exec(t, "UPDATE weir.attempts SET source_bytes = 2 WHERE transcode_id = $1", other)
	require.NotSame(t, alone, look().attempts[of(other)], "it was written since it was read alone")
	require.Equal(t, afresh(), look().attempts)
}

// What a supervisor notes in the rows that it saw is in no look.
func TestSeenRowsAreItsOwn(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	h := lookingHost(t, b)
	transcode := b.Accept(t, "a").ID
	b.Place(t, transcode, jobstest.Host)
	s := takeUp(t, b, h, transcode)
	began := time.Now()
	taken, err := h.look(t.Context())
	require.NoError(t, err)
	h.looks.add(taken, began, wants{all: true})
	for range 2 {
		rows, seen, err := s.see(t.Context())
		require.NoError(t, err)
		require.Same(t, taken, seen)
		require.Zero(t, rows.Renditions[0].PushedMs)
		rows.Renditions[0].PushedMs++
	}
}
