package retention

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"weir/db/dbsqlc"
	"weir/jobs/jobstest"
)

const (
	// aWhile bounds what a test waits for; nothing is measured by it.
	aWhile = 30 * time.Second
	// lookEvery is how often it looks whether that has come about.
	lookEvery = 10 * time.Millisecond
)

// keepDays is what these tests keep; a day more is too old.
const keepDays = 7

// history is what these tests remove.
type history struct{ *jobstest.Bundle }

func (b history) retention() *Retention {
	return &Retention{DB: b.Pool, Log: jobstest.Silent(), Keep: Keep{Transcodes: keepDays, Triggers: keepDays, CallbackAttempts: keepDays}}
}

// ended is a transcode that ended long ago, of which nothing is left to be done.
func (b history) ended(t *testing.T) dbsqlc.Transcode {
	t.Helper()
	transcode := b.Run(t, "a", "b")
	require.NoError(t, b.Store(t.Context(), &transcode, "a"))
	require.NoError(t, b.Store(t.Context(), &transcode, "b"))
	b.Exec(t, "UPDATE weir.attempts SET stage = 'cleaned', cleaned_at = now() WHERE transcode_id = $1", transcode.ID)
	b.Exec(t, "UPDATE weir.callbacks SET state = 'delivered', delivered_at = now() WHERE transcode_id = $1", transcode.ID)
	b.Exec(t, `INSERT INTO weir.callback_attempts (callback_id, number, latency_ms)
		SELECT id, 1, 5 FROM weir.callbacks WHERE transcode_id = $1`, transcode.ID)
	b.age(t, transcode.ID)
	return transcode
}

func (b history) age(t *testing.T, id uuid.UUID) {
	t.Helper()
	b.Exec(t, "UPDATE weir.transcodes SET finished_at = now() - make_interval(days => $2) WHERE id = $1", id, keepDays+1)
}

// unwatched runs a statement that the triggers would refuse.
func (b history) unwatched(t *testing.T, query string, args ...any) {
	t.Helper()
	b.Tx(t, func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SET LOCAL session_replication_role = replica"); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, query, args...)
		return err
	})
}

func (b history) there(t *testing.T, id uuid.UUID) bool {
	t.Helper()
	return b.Count(t, "SELECT count(*) FROM weir.transcodes WHERE id = $1", id) == 1
}

func (b history) residue(t *testing.T, id uuid.UUID, state string) {
	t.Helper()
	b.Exec(t, `INSERT INTO weir.river_job (kind, queue, args, state, finalized_at) VALUES ('residue', 'residue', jsonb_build_object('transcode_id', $1::text),
		$2::text::weir.river_job_state, CASE WHEN $2 IN ('completed', 'cancelled', 'discarded') THEN now() END)`, id.String(), state)
}

func TestRetentionOfTranscodes(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		// change is made to a transcode that could go.
		change func(t *testing.T, b history, id uuid.UUID)
		stays  bool
	}{
		"ended": {func(*testing.T, history, uuid.UUID) {}, false},
		"ended lately": {func(t *testing.T, b history, id uuid.UUID) {
			b.Exec(t, "UPDATE weir.transcodes SET finished_at = now() - make_interval(days => $2) WHERE id = $1", id, keepDays-1)
		}, true},
		"callback pending": {func(t *testing.T, b history, id uuid.UUID) {
			// Delivered is for ever: one that was not stands in its place.
			b.Exec(t, "DELETE FROM weir.callbacks WHERE transcode_id = $1", id)
			b.Exec(t, "INSERT INTO weir.callbacks (id, transcode_id, run, url, body) VALUES ($1, $2, 1, 'c', '{}')", uuid.New(), id)
		}, true},
		"callback refused": {func(t *testing.T, b history, id uuid.UUID) {
			b.Exec(t, "DELETE FROM weir.callbacks WHERE transcode_id = $1", id)
			b.Exec(t, "INSERT INTO weir.callbacks (id, transcode_id, run, url, body, state) VALUES ($1, $2, 1, 'c', '{}', 'refused')", uuid.New(), id)
		}, false},
		"attempt not cleaned": {func(t *testing.T, b history, id uuid.UUID) {
			b.Exec(t, "UPDATE weir.attempts SET stage = 'transcoded', cleaned_at = NULL WHERE transcode_id = $1", id)
		}, true},
		"residue waits":     {func(t *testing.T, b history, id uuid.UUID) { b.residue(t, id, "retryable") }, true},
		"residue given up":  {func(t *testing.T, b history, id uuid.UUID) { b.residue(t, id, "discarded") }, true},
		"residue removed":   {func(t *testing.T, b history, id uuid.UUID) { b.residue(t, id, "completed") }, false},
		"residue must stay": {func(t *testing.T, b history, id uuid.UUID) { b.residue(t, id, "cancelled") }, false},
		"another's residue": {func(t *testing.T, b history, _ uuid.UUID) { b.residue(t, uuid.New(), "available") }, false},
		"not ended": {func(t *testing.T, b history, id uuid.UUID) {
			b.unwatched(t, "UPDATE weir.transcodes SET state = 'running', finished_at = NULL WHERE id = $1", id)
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := history{jobstest.New(t)}
			transcode := b.ended(t)
			test.change(t, b, transcode.ID)
			done, err := b.retention().Round(t.Context())
			require.NoError(t, err)
			require.Equal(t, test.stays, b.there(t, transcode.ID))
			for _, table := range []string{"attempts", "renditions", "callbacks"} {
				require.Equal(t, test.stays, b.Count(t, "SELECT count(*) FROM weir."+table+" WHERE transcode_id = $1", transcode.ID) > 0, "%s", table)
			}
			if !test.stays {
				require.Equal(t, Removed{Transcodes: 1}, done)
				require.Zero(t, b.Count(t, "SELECT count(*) FROM weir.callback_attempts"))
			}
		})
	}
}

// What somebody works on is left alone, without waiting for him.
func TestRetentionWaitsForNobody(t *testing.T) {
	t.Parallel()
	b := history{jobstest.New(t)}
	locked, free := b.ended(t), b.ended(t)
	tx, err := b.Pool.Begin(t.Context())
	require.NoError(t, err)
	_, err = dbsqlc.New().TranscodeGetForUpdate(t.Context(), tx, locked.ID)
	require.NoError(t, err)
	done, err := b.retention().Round(t.Context())
	require.NoError(t, err)
	require.Equal(t, Removed{Transcodes: 1, Held: 1}, done)
	require.True(t, b.there(t, locked.ID))
	require.False(t, b.there(t, free.ID))
	require.NoError(t, tx.Rollback(t.Context()))
	done, err = b.retention().Round(t.Context())
	require.NoError(t, err)
	require.Equal(t, Removed{Transcodes: 1}, done)
}

// Triggers and callback attempts go by their own age; the callback says how many there were.
func TestRetentionOfTriggersAndCallbackAttempts(t *testing.T) {
	t.Parallel()
	b := history{jobstest.New(t)}
	transcode := b.ended(t)
	b.Exec(t, "UPDATE weir.transcodes SET finished_at = now() WHERE id = $1", transcode.ID)
	b.Exec(t, "UPDATE weir.callbacks SET attempts = 1")
	const many = 2*Batch + 1
	b.Exec(t, `INSERT INTO weir.mist_events (host_id, trigger, headers, payload, payload_bytes, verdict, received_at)
		SELECT 'mist-1', 'PUSH_END', '{}', '', 0, 'noted', now() - make_interval(days => CASE WHEN n <= $1 THEN $2 ELSE 0 END::int)
		  FROM generate_series(1, $1 + 3) n`, many, keepDays+1)
	b.Exec(t, "UPDATE weir.callback_attempts SET sent_at = now() - make_interval(days => $1)", keepDays+1)
	b.Exec(t, "INSERT INTO weir.callback_attempts (callback_id, number, latency_ms) SELECT id, 2, 5 FROM weir.callbacks")

	forever := &Retention{DB: b.Pool, Log: jobstest.Silent()}
	done, err := forever.Round(t.Context())
	require.NoError(t, err)
	require.Equal(t, Removed{}, done)

	done, err = b.retention().Round(t.Context())
	require.NoError(t, err)
	require.Equal(t, Removed{Triggers: many, CallbackAttempts: 1}, done)
	require.Equal(t, 3, b.Count(t, "SELECT count(*) FROM weir.mist_events"))
	require.Equal(t, 2, b.Count(t, "SELECT sum(number) FROM weir.callback_attempts"))
	require.Equal(t, 1, b.Count(t, "SELECT attempts FROM weir.callbacks"))
	require.True(t, b.there(t, transcode.ID))
}

// What is held is passed once: pages of it hold up nothing, and two daemons share the rest.
func TestRetentionPassesWhatIsHeld(t *testing.T) {
	t.Parallel()
	b := history{jobstest.New(t)}
	b.ended(t)
	const held, gone = Batch + 1, 2 * Batch
	b.unwatched(t, `INSERT INTO weir.transcodes
		SELECT (jsonb_populate_record(t, jsonb_build_object('id', gen_random_uuid(), 'finished_at', t.finished_at + make_interval(secs => n)))).*
		  FROM weir.transcodes t, generate_series(1, $1) n`, held+gone-1)
	b.Exec(t, `INSERT INTO weir.callbacks (id, transcode_id, run, url, body)
		SELECT gen_random_uuid(), id, 2, 'c', '{}' FROM weir.transcodes ORDER BY finished_at LIMIT $1`, held)

	rounds := make([]Removed, 2)
	var group errgroup.Group
	for i := range rounds {
		group.Go(func() (err error) {
			rounds[i], err = b.retention().Round(t.Context())
			return err
		})
	}
	require.NoError(t, group.Wait())
	require.EqualValues(t, gone, rounds[0].Transcodes+rounds[1].Transcodes)
	require.Equal(t, held, b.Count(t, "SELECT count(*) FROM weir.transcodes"))
}

func TestRetentionRuns(t *testing.T) {
	t.Parallel()
	b := history{jobstest.New(t)}
	transcode := b.ended(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- b.retention().Run(ctx) }()
	require.Eventually(t, func() bool { return !b.there(t, transcode.ID) }, aWhile, lookEvery)
	cancel()
	require.NoError(t, <-ended)
}

// Behind each full batch others have as long as it took.
func TestBatchesPause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		left := []int64{Batch, Batch, 1}
		began := time.Now()
		sum, err := Batches(t.Context(), func(context.Context) (int64, error) {
			<-time.After(time.Second) // of the bubble's clock
			n := left[0]
			left = left[1:]
			return n, nil
		})
		require.NoError(t, err)
		require.EqualValues(t, 2*Batch+1, sum)
		require.Equal(t, 5*time.Second, time.Since(began))
	})
}

// The oldest events go, and no other: an id that a stream goes on behind stays good.
func TestRetentionOfEvents(t *testing.T) {
	t.Parallel()
	b := history{jobstest.New(t)}
	b.Exec(t, `INSERT INTO weir.events (transcode_id, tenant, type, state, run, attempt, ratio, created_at)
		SELECT gen_random_uuid(), 't', 'transcode.queued', 'queued', 1, 0, 0, now() - make_interval(days => CASE WHEN n <= $1 THEN $2 ELSE $2 - 2 END)
		  FROM generate_series(1, $1 + 3) n`, 2*Batch+1, keepDays+1)
	r := b.retention()
	r.Keep = Keep{Events: keepDays}
	done, err := r.Round(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 2*Batch+1, done.Events)
	require.Equal(t, 3, b.Count(t, "SELECT count(*) FROM weir.events"))
	r.Keep = Keep{}
	b.Exec(t, "UPDATE weir.events SET created_at = now() - interval '1000 days'")
	done, err = r.Round(t.Context())
	require.NoError(t, err)
	require.Zero(t, done.Events)
}

// Other settings hold from the next round on.
func TestRetentionChanges(t *testing.T) {
	t.Parallel()
	b := history{jobstest.New(t)}
	transcode := b.ended(t)
	retention := b.retention()
	retention.Change(Keep{Transcodes: keepDays + 7})
	_, err := retention.Round(t.Context())
	require.NoError(t, err)
	require.True(t, b.there(t, transcode.ID))
	retention.Change(Keep{Transcodes: keepDays - 1})
	_, err = retention.Round(t.Context())
	require.NoError(t, err)
	require.False(t, b.there(t, transcode.ID))
}

// Operations on many transcodes go as long after their end as transcodes do; one that is open
// stays, however old.
func TestRetentionOfBulkOperations(t *testing.T) {
	t.Parallel()
	b := history{jobstest.New(t)}
	add := func(reason, state string, begun int, ended *int) {
		b.Exec(t, `INSERT INTO weir.bulk_operations (id, kind, filter, who, via, reason, per_second, counted, state, frozen_at, ended_at)
			VALUES (gen_random_uuid(), 'retry', 'state:failed', 'jo', 'cli', $1, 20, 1, $2, now() - make_interval(days => $3), now() - make_interval(days => $4))`, reason, state, begun, ended)
	}
	add("old", "done", keepDays+2, new(keepDays+1))
	add("ended early", "cancelled", keepDays+1, new(keepDays+1))
	add("long", "done", keepDays+9, new(keepDays-1))
	add("lately", "done", keepDays-1, new(keepDays-1))
	add("open", "paused", keepDays+9, nil)
	left := func() (reasons []string) {
		require.NoError(t, b.Pool.QueryRow(t.Context(), "SELECT array_agg(reason ORDER BY reason) FROM weir.bulk_operations").Scan(&reasons))
		return reasons
	}
	kept := b.retention()
	kept.Keep.Transcodes = 0
	_, err := kept.Round(t.Context())
	require.NoError(t, err)
	require.Len(t, left(), 5, "0 keeps them for ever")
	done, err := b.retention().Round(t.Context())
	require.NoError(t, err)
	require.Equal(t, Removed{BulkOperations: 2}, done)
	require.Equal(t, []string{"lately", "long", "open"}, left())
}
