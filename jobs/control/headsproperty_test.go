package control

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
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

const (
	propertyTenants = 5
	// propertyAtOnce do propertyEach things each, propertyTurns times; between those nothing
	// goes on, and the list is compared with the queue.
	propertyAtOnce, propertyEach, propertyTurns = 4, 20, 4
)

// TestPropertyHeads: while acceptances, rounds and all that moves a queue go on at once, each
// of what may be placed is behind its tenant's head or among the news; and in between a
// round places what it would place by a look at the whole queue.
func TestPropertyHeads(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	s := simulate(t, 12)
	s.Boot(t, "mist-2", 5)
	s.Exec(t, "UPDATE weir.hosts SET lease_until = now() + interval '1 hour'")
	s.Exec(t, `INSERT INTO weir.tenants (name, weight, running_most, hosts) VALUES ('tenant-1', 3, NULL, NULL), ('tenant-2', 1, 2, NULL), ('tenant-3', 1, NULL, '{mist-2}')`)
	placed := 0
	for turn := range propertyTurns {
		var all errgroup.Group
		for n := range propertyAtOnce {
			r := rand.New(rand.NewPCG(seed, uint64(turn*propertyAtOnce+n)))
			all.Go(func() error {
				for range propertyEach {
					if err := s.anything(t.Context(), r); err != nil {
						return err
					}
					if lost, err := s.lost(t.Context()); err != nil || lost > 0 {
						return errors.Join(err, fmt.Errorf("%d heads were lost", lost))
					}
				}
				return nil
			})
		}
		require.NoError(t, all.Wait())
		s.Exec(t, "UPDATE weir.transcodes SET not_before = now() WHERE state = 'queued' AND not_before > now()")
		s.Exec(t, "UPDATE weir.hosts SET slots = slots + 4")
		require.NoError(t, (&Control{DB: s.Pool, Log: jobstest.Silent()}).repairHeads(t.Context(), s.River))
		for more := true; more; {
			more = s.placesTheTruth(t, &placed)
		}
		s.hear(t)
		require.Zero(t, s.Count(t, "SELECT count(*) FROM weir.head_news WHERE ready_at <= now()"))
	}
	require.Positive(t, placed)
}

// anything does one of what happens to queues, to transcodes at random.
func (s *simulation) anything(ctx context.Context, r *rand.Rand) error {
	tenant := fmt.Sprint("tenant-", r.IntN(propertyTenants))
	pick := func(state string) (id uuid.UUID, attempt int32, found bool, err error) {
		err = s.Pool.QueryRow(ctx, "SELECT id, attempt FROM weir.transcodes WHERE state = $1 ORDER BY md5(id::text || $2) LIMIT 1", state, fmt.Sprint(r.Int())).Scan(&id, &attempt)
		if errors.Is(err, pgx.ErrNoRows) {
			return id, 0, false, nil
		}
		return id, attempt, err == nil, err
	}
	late := func(err error) error { // another was there before
		if errors.Is(err, jobs.ErrFinished) || errors.Is(err, jobs.ErrNotFailed) {
			return nil
		}
		return err
	}
	switch what := r.IntN(12); what {
	case 0, 1, 2, 3:
		return db.InTx(ctx, s.Pool, func(tx pgx.Tx) error { // several at once, as a statement of many rows does
			_, err := tx.Exec(ctx, `WITH made AS (
				INSERT INTO weir.transcodes (id, tenant, form, request, request_digest, source_url, source_sealed, output_url, output_sealed,
					callback_url, callback_sealed, attempts_left, priority)
				SELECT gen_random_uuid(), CASE WHEN n = 1 THEN $2 ELSE 'tenant-0' END, form, request, request_digest, source_url, source_sealed, output_url, output_sealed,
					callback_url, callback_sealed, 3, $3 FROM weir.transcodes, generate_series(1, $4::int) n WHERE id = $1
				RETURNING id)
				INSERT INTO weir.renditions (transcode_id, name, ordinal, width, height, bitrate) SELECT id, 'a', 0, 640, 360, 800000 FROM made`,
				s.like, tenant, r.IntN(jobs.LeastUrgent+1), 1+r.IntN(2))
			return err
		})
	case 4, 5:
		return db.InTx(ctx, s.Pool, func(tx pgx.Tx) error {
			_, err := s.worker.round(ctx, s.Decider(tx))
			return err
		})
	case 6: // to be bumped, or to wait behind others
		id, _, found, err := pick("queued")
		if found {
			_, err = s.Transcodes.Bump(ctx, id, r.IntN(jobs.LeastUrgent+1))
		}
		return late(err)
	case 7:
		id, _, found, err := pick("queued")
		if found {
			_, err = s.Transcodes.Cancel(ctx, "", id)
		}
		return late(err)
	case 8: //nolint:mnd // fails: for another attempt, or at once
		id, attempt, found, err := pick("placed")
		if !found {
			return err
		}
		if n, err := dbsqlc.New().TranscodeStart(ctx, s.Pool, dbsqlc.TranscodeStartParams{ID: id, Attempt: attempt}); err != nil || n == 0 {
			return err
		}
		code := []string{jobs.CodeNothingReturned, "source_no_video"}[r.IntN(2)]
		return db.InTx(ctx, s.Pool, func(tx pgx.Tx) error {
			return s.Decider(tx).FailRendition(ctx, id, attempt, "a", jobs.Failed(code, jobs.StageTranscode, ""))
		})
	case 9: //nolint:mnd // a new run of what has failed
		id, _, found, err := pick("failed")
		if found {
			_, err = s.Transcodes.Retry(ctx, id)
		}
		return late(err)
	case 10: //nolint:mnd // a person's pause
		_, err := s.Pool.Exec(ctx, `INSERT INTO weir.tenants (name, paused_at, paused_by, pause_reason) VALUES ($1, now(), 'me', 'a test')
			ON CONFLICT (name) DO UPDATE SET paused_at = excluded.paused_at, paused_by = excluded.paused_by, pause_reason = excluded.pause_reason`, tenant)
		return err
	default:
		_, err := s.Pool.Exec(ctx, "UPDATE weir.tenants SET paused_at = NULL, paused_by = NULL, pause_reason = NULL WHERE name = $1", tenant)
		return err
	}
}

// wholeQueue is what a round would be told if it looked at all that waits.
const wholeQueue = `WITH waits AS (
	SELECT t.*, weir.turn_of(t.created_at, t.priority) AS place, COALESCE(n.weight, 1) AS weight, n.running_most, n.hosts, n.paused_at
	  FROM weir.transcodes t LEFT JOIN weir.tenants n ON n.name = t.tenant WHERE t.state = 'queued' AND t.not_before <= now()
)
SELECT w.id, w.host_id, w.priority, w.place, min(w.place) OVER (PARTITION BY w.tenant) AS head, w.tenant, w.weight, w.running_most, w.hosts,
       (SELECT count(*) FROM weir.transcodes h WHERE h.tenant = w.tenant AND h.state IN ('placed', 'running')) AS held,
       GREATEST(u.turn, p.clock) AS turn, 1000000::bigint AS most,
       (SELECT sum(a.weight) FROM (SELECT DISTINCT tenant, weight FROM waits WHERE paused_at IS NULL) a)::float8 AS weights, p.clock, false AS urgent_wait
  FROM waits w JOIN weir.placement p ON p.paused_at IS NULL LEFT JOIN weir.turns u ON u.tenant = w.tenant
 WHERE w.paused_at IS NULL
 ORDER BY w.tenant, w.place, w.id`

// placesTheTruth has a round come and compares: it places the first of what all of the
// queue says, and where it does not place as much another one follows.
func (s *simulation) placesTheTruth(t *testing.T, placed *int) (more bool) {
	t.Helper()
	rows, err := s.Pool.Query(t.Context(), wholeQueue)
	require.NoError(t, err)
	queue, err := pgx.CollectRows(rows, pgx.RowToStructByPos[dbsqlc.TranscodeQueueRow])
	require.NoError(t, err)
	hosts, err := dbsqlc.New().HostFree(t.Context(), s.Pool)
	require.NoError(t, err)
	all := newTurns(queue, hosts, len(queue)+1, 0, false)
	all.take(roundMost)
	s.Tx(t, func(ctx context.Context, tx pgx.Tx) error {
		was := map[uuid.UUID]bool{}
		r, err := s.worker.round(ctx, s.Decider(tx))
		got := r.placed
		for i := range got {
			was[got[i].ID] = true
		}
		require.LessOrEqual(t, len(got), len(all.placements))
		for _, p := range all.placements[:len(got)] {
			require.True(t, was[p.Transcode], "%s of %v is not placed", p.Transcode, all.placements)
		}
		require.True(t, r.more || len(got) == len(all.placements), "%d of %d are placed, and no round follows", len(got), len(all.placements))
		more = r.more
		*placed += len(got)
		return err
	})
	return more
}
