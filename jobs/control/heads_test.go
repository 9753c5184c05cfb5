package control

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"weir/db"
	"weir/db/dbsqlc"
	"weir/jobs"
	"weir/jobs/jobstest"
)

// listed are the tenants with heads.
func (s *simulation) listed(t *testing.T) (tenants []string) {
	t.Helper()
	require.NoError(t, s.Pool.QueryRow(t.Context(), "SELECT COALESCE(array_agg(tenant ORDER BY tenant), '{}') FROM weir.heads").Scan(&tenants))
	return tenants
}

// hear has a round come that has no slot to give: it lists who waits.
func (s *simulation) hear(t *testing.T) {
	t.Helper()
	s.Exec(t, "UPDATE weir.hosts SET draining = true")
	require.Empty(t, s.round(t))
	s.Exec(t, "UPDATE weir.hosts SET draining = false")
}

// lost is how many waiting tenants stand neither behind a head nor among the news.
func (s *simulation) lost(ctx context.Context) (found int64, err error) {
	tx, err := s.Pool.Begin(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { _ = tx.Rollback(ctx) }()
	return dbsqlc.New().HeadFind(ctx, tx)
}

func (s *simulation) losesNobody(t *testing.T) {
	t.Helper()
	found, err := s.lost(t.Context())
	require.NoError(t, err)
	require.Zero(t, found)
}

// one is a transcode of which something is true.
func (s *simulation) one(t *testing.T, is string) (id uuid.UUID) {
	t.Helper()
	require.NoError(t, s.Pool.QueryRow(t.Context(), "SELECT id FROM weir.transcodes WHERE "+is+" LIMIT 1").Scan(&id))
	return id
}

const waitOne = `INSERT INTO weir.transcodes (id, tenant, form, request, request_digest, source_url, source_sealed, output_url, output_sealed,
		callback_url, callback_sealed, attempts_left, ladder)
	SELECT gen_random_uuid(), $2, form, request, request_digest, source_url, source_sealed, output_url, output_sealed,
		callback_url, callback_sealed, 3, true FROM weir.transcodes WHERE id = $1`

// A tenant is listed while it has something to be placed, whatever brings it there or takes
// it away, and its head is never behind what waits.
func TestHeads(t *testing.T) {
	t.Parallel()
	s := simulate(t, 2)
	place := func(tenant string) int { // in minutes from the first of priority 0
		return s.Count(t, `SELECT (EXTRACT(epoch FROM h.place - (SELECT min(created_at) FROM weir.transcodes)) / 60)::int FROM weir.heads h WHERE tenant = $1`, tenant)
	}
	news := func() int { return s.Count(t, "SELECT count(*) FROM weir.head_news") }
	s.Exec(t, "DELETE FROM weir.head_news")
	s.queue(t, "a", 3, 5)
	require.Equal(t, 1, news(), "one for all of a statement")
	s.hear(t)
	require.Equal(t, []string{"a"}, s.listed(t))
	require.Equal(t, 50, place("a"))
	require.Zero(t, news())

	s.queue(t, "a", 1, 1)
	s.queue(t, "a", 1, 9)
	s.hear(t)
	require.Equal(t, 10, place("a"), "the first of them")
	require.Equal(t, 1, s.Count(t, "SELECT count(*) FROM weir.heads WHERE urgent_place = place"))
	require.Len(t, s.round(t), 2)
	require.Equal(t, 50, place("a"), "the next one")
	require.Zero(t, s.Count(t, "SELECT count(*) FROM weir.heads WHERE urgent_place IS NOT NULL"))

	_, err := s.Transcodes.Bump(t.Context(), s.one(t, "state = 'queued' AND priority = 5"), 3)
	require.NoError(t, err)
	require.Equal(t, 1, news(), "it stands farther in front")
	s.hear(t)
	require.Equal(t, 30, place("a"))
	_, err = s.Transcodes.Bump(t.Context(), s.one(t, "state = 'queued' AND priority = 3"), 8)
	require.NoError(t, err)
	require.Zero(t, news(), "farther back is none")
	s.end(t, "a")
	s.end(t, "a")

	s.quietly(t, "UPDATE weir.transcodes SET state = 'cancelled', finished_at = now() WHERE state = 'queued'")
	s.queue(t, "b", 1, 9)
	require.Equal(t, []string{"b"}, s.round(t), "nothing is left of the other's")
	require.Empty(t, s.listed(t), "nor is it listed: it was read and found empty")

	// An attempt fails: it is news at its time, not before.
	failed := s.one(t, "state = 'placed'")
	s.Exec(t, "UPDATE weir.transcodes SET state = 'running' WHERE id = $1", failed)
	s.Fail(t, failed, 1, "a", jobs.Failed(jobs.CodeNothingReturned, jobs.StageTranscode, ""))
	require.Empty(t, s.round(t))
	require.Equal(t, 1, news())
	s.losesNobody(t)
	s.Exec(t, "UPDATE weir.transcodes SET not_before = now() - interval '1 s' WHERE state = 'queued'")
	require.Equal(t, 2, news(), "sooner than was said")
	require.Equal(t, []string{"b"}, s.round(t))
	s.losesNobody(t)
}

// A transaction that is left open, with whatever begins to wait in it, holds up neither a
// round nor an acceptance, and what it commits is placed; nor does a round that is left open.
func TestOpenTransactionsHoldNobodyUp(t *testing.T) {
	t.Parallel()
	s := simulate(t, 100)
	s.Exec(t, "INSERT INTO weir.speakers (role, tenant) VALUES (session_user, 'a')")
	s.queue(t, "a", 3, 5)
	bumped := s.one(t, "state = 'queued'")
	soon := func(ctx context.Context, tx pgx.Tx) error { // waits for nobody
		_, err := tx.Exec(ctx, "SET LOCAL lock_timeout = '1ms'")
		return err
	}
	accept := func() {
		t.Helper()
		s.Tx(t, func(ctx context.Context, tx pgx.Tx) error {
			if err := soon(ctx, tx); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, waitOne, s.like, "a")
			return err
		})
	}
	place := func() (n int) {
		t.Helper()
		s.Tx(t, func(ctx context.Context, tx pgx.Tx) error {
			if err := soon(ctx, tx); err != nil {
				return err
			}
			r, err := s.worker.round(ctx, s.Decider(tx))
			n = len(r.placed)
			return err
		})
		return n
	}
	open, err := s.Pool.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = open.Rollback(t.Context()) }()
	for range 3 {
		_, err = open.Exec(t.Context(), waitOne, s.like, "a")
		require.NoError(t, err)
		_, err = open.Exec(t.Context(), "SELECT weir.enqueue_transcode($1::text::jsonb)", submission(t))
		require.NoError(t, err)
	}
	accept()
	require.Equal(t, 4, place())
	require.Empty(t, s.listed(t))
	accept()
	accept()
	require.Equal(t, 2, place())
	require.Empty(t, s.listed(t))
	require.NoError(t, open.Commit(t.Context()))
	s.losesNobody(t)
	require.Equal(t, 3, place())
	require.Equal(t, 1, s.Count(t, "SELECT count(*) FROM weir.transcodes WHERE id = $1 AND state = 'placed'", bumped))

	accept()
	round, err := s.Pool.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = round.Rollback(t.Context()) }()
	r, err := s.worker.round(t.Context(), s.Decider(round))
	require.NoError(t, err)
	require.Len(t, r.placed, 1)
	accept()
	require.NoError(t, round.Commit(t.Context()))
	require.Empty(t, s.listed(t))
	s.losesNobody(t)
	require.Equal(t, 1, place())
}

// Whoever touches transcodes of several tenants in any order waits for no other's news.
func TestHeadsKnowNoDeadlock(t *testing.T) {
	t.Parallel()
	const atOnce, times = 4, 15
	s := simulate(t, 1)
	var all errgroup.Group
	for n := range atOnce {
		all.Go(func() error {
			for i := range times {
				err := db.InTx(t.Context(), s.Pool, func(tx pgx.Tx) error {
					for k := range atOnce {
						if _, err := tx.Exec(t.Context(), waitOne, s.like, fmt.Sprint((n*(k+1)+i)%atOnce)); err != nil {
							return err
						}
						if k == n { // in the middle, with rows before and behind it
							if _, err := s.worker.round(t.Context(), s.Decider(tx)); err != nil {
								return err
							}
						}
					}
					return nil
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	require.NoError(t, all.Wait())
	s.losesNobody(t)
}

// Who was written past the triggers is found, and told of; who has nothing any more is
// taken from the list.
func TestHeadsAreRepaired(t *testing.T) {
	t.Parallel()
	s := simulate(t, 4)
	s.quietly(t, waitOne, s.like, "a")
	s.Exec(t, "DELETE FROM weir.river_job")
	require.Empty(t, s.round(t))
	c := &Control{DB: s.Pool, Log: jobstest.Silent()}
	require.NoError(t, c.repairHeads(t.Context(), s.River))
	require.Equal(t, 1, placeJobs(t, s.Bundle))
	s.Exec(t, "DELETE FROM weir.river_job")
	require.NoError(t, c.repairHeads(t.Context(), s.River))
	require.Zero(t, placeJobs(t, s.Bundle), "once")
	require.Equal(t, []string{"a"}, s.round(t))
	s.losesNobody(t)

	s.queue(t, "b", 1, 5)
	s.queue(t, "c", 1, 5)
	s.hear(t)
	s.quietly(t, "UPDATE weir.transcodes SET state = 'cancelled', finished_at = now() WHERE tenant = 'b'")
	require.Equal(t, []string{"b", "c"}, s.listed(t))
	require.NoError(t, c.repairHeads(t.Context(), s.River))
	require.Equal(t, []string{"c"}, s.listed(t))
}
