package host

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"github.com/stretchr/testify/require"

	"weir/db/dbsqlc"
	"weir/engine"
	"weir/jobs"
	"weir/jobs/jobstest"
)

// reconciled is a host that has compared its jobs with its rows.
func reconciled(t *testing.T, b *jobstest.Bundle, boot uuid.UUID) *Host {
	t.Helper()
	b.Exec(t, "UPDATE weir.hosts SET boot_id = $1 WHERE id = $2", boot, jobstest.Host)
	h := &Host{ID: jobstest.Host, BootID: boot, DB: b.Pool, Log: jobstest.Silent()}
	for range 2 { // the second time there is nothing to do
		require.NoError(t, h.reconcileJobs(t.Context(), b.River))
	}
	return h
}

func attemptJob(t *testing.T, b *jobstest.Bundle, id uuid.UUID) int64 {
	t.Helper()
	a, err := dbsqlc.New().AttemptGet(t.Context(), b.Pool, dbsqlc.AttemptGetParams{TranscodeID: id, Number: 1})
	require.NoError(t, err)
	return *a.JobID
}

// Whatever somebody does to an attempt's job in River, another comes in its place, once.
func TestReconcileJobs(t *testing.T) {
	t.Parallel()
	dead := uuid.New()
	for name, test := range map[string]struct {
		change string
		again  bool
	}{
		"untouched":               {"SELECT 1", false},
		"deleted":                 {"DELETE FROM weir.river_job WHERE id = $1", true},
		"cancelled":               {"UPDATE weir.river_job SET state = 'cancelled', finalized_at = now() WHERE id = $1", true},
		"discarded":               {"UPDATE weir.river_job SET state = 'discarded', finalized_at = now() WHERE id = $1", true},
		"completed":               {"UPDATE weir.river_job SET state = 'completed', finalized_at = now() WHERE id = $1", true},
		"in another queue":        {"UPDATE weir.river_job SET queue = 'elsewhere' WHERE id = $1", true},
		"put off for a year":      {"UPDATE weir.river_job SET state = 'scheduled', scheduled_at = now() + interval '1 year' WHERE id = $1", true},
		"put off for a second":    {"UPDATE weir.river_job SET state = 'scheduled', scheduled_at = now() + interval '1 s' WHERE id = $1", false},
		"run by an older boot":    {"UPDATE weir.river_job SET state = 'running', attempted_at = now(), attempted_by = ARRAY['" + jobs.ClientID(jobstest.Host, dead) + "'] WHERE id = $1", true},
		"run by nobody of a name": {"UPDATE weir.river_job SET state = 'running', attempted_at = now(), attempted_by = ARRAY['somebody'] WHERE id = $1", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := jobstest.New(t)
			transcode := b.Place(t, b.Accept(t, "a").ID, jobstest.Host)
			was := attemptJob(t, b, transcode.ID)
			if test.change != "SELECT 1" {
				b.Exec(t, test.change, was)
			}
			reconciled(t, b, uuid.New())
			is := attemptJob(t, b, transcode.ID)
			if !test.again {
				require.Equal(t, was, is)
				return
			}
			require.Greater(t, is, was)
			job, err := b.River.JobGet(t.Context(), is)
			require.NoError(t, err)
			require.Equal(t, rivertype.JobStateAvailable, job.State)
			require.Equal(t, jobs.HostQueue(jobstest.Host), job.Queue)
			require.Equal(t, 1, b.Count(t, "SELECT count(*) FROM weir.river_job WHERE kind = 'transcode' AND finalized_at IS NULL"))
		})
	}
}

// A pushed file gets its store again.
func TestReconcileStores(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	b.Run(t, "a")
	b.Exec(t, "DELETE FROM weir.river_job")
	reconciled(t, b, uuid.New())
	require.Equal(t, 1, b.Count(t, "SELECT count(*) FROM weir.river_job WHERE kind = 'transcode'"))
	require.Equal(t, 1, b.Count(t, "SELECT count(*) FROM weir.river_job WHERE kind = 'store'"))
}

// An older boot that does not know it yet takes nothing from the newer one.
func TestReconcileOfAnOlderBoot(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	transcode := b.Place(t, b.Accept(t, "a").ID, jobstest.Host)
	was := attemptJob(t, b, transcode.ID)
	b.Exec(t, "UPDATE weir.river_job SET state = 'running', attempted_at = now(), attempted_by = ARRAY['newer'] WHERE id = $1", was)
	h := &Host{ID: jobstest.Host, BootID: uuid.New(), DB: b.Pool, Log: jobstest.Silent()}
	require.NoError(t, h.reconcileJobs(t.Context(), b.River))
	require.Equal(t, was, attemptJob(t, b, transcode.ID))
}

// A job in hand, and one just fetched, are left alone; one that runs by its row alone is
// done by another.
func TestReconcileTaken(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	boot := uuid.New()
	fetched := func(ago string) uuid.UUID {
		transcode := b.Place(t, b.Accept(t, "a").ID, jobstest.Host)
		b.Exec(t, `UPDATE weir.river_job SET state = 'running', attempt = 1, attempted_at = now() - $3::interval,
			attempted_by = ARRAY[$1] WHERE id = $2`, jobs.ClientID(jobstest.Host, boot), attemptJob(t, b, transcode.ID), ago)
		return transcode.ID
	}
	lost, held, young := fetched("1 min"), fetched("1 min"), fetched("1 s")
	was := map[uuid.UUID]int64{lost: attemptJob(t, b, lost), held: attemptJob(t, b, held), young: attemptJob(t, b, young)}
	b.Exec(t, "UPDATE weir.hosts SET boot_id = $1 WHERE id = $2", boot, jobstest.Host)
	h := &Host{ID: jobstest.Host, BootID: boot, DB: b.Pool, Log: jobstest.Silent()}
	job, err := b.River.JobGet(t.Context(), was[held])
	require.NoError(t, err)
	second := 0
	require.NoError(t, h.hand.Work(t.Context(), job, func(ctx context.Context) error {
		require.NoError(t, h.reconcileJobs(ctx, b.River))
		// A second job for the same work finds that it is worked on.
		return h.hand.Work(ctx, job, func(context.Context) error { second++; return nil })
	}))
	require.Zero(t, second)
	require.Greater(t, attemptJob(t, b, lost), was[lost])
	require.Equal(t, was[held], attemptJob(t, b, held))
	require.Equal(t, was[young], attemptJob(t, b, young))
	old, err := b.River.JobGet(t.Context(), was[lost])
	require.NoError(t, err)
	require.Equal(t, rivertype.JobStateCancelled, old.State)
}

// What an older boot was running for nobody any more ends; what anybody may do is given
// back; this boot's own stays.
func TestReconcileGivesBack(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	stored := b.Run(t, "a")
	b.Exec(t, "DELETE FROM weir.river_job")
	boot := uuid.New()
	run := func(args river.JobArgs, by uuid.UUID) int64 {
		job, err := b.River.Insert(t.Context(), args, nil)
		require.NoError(t, err)
		b.Exec(t, "UPDATE weir.river_job SET state = 'running', attempt = 1, attempted_at = now(), attempted_by = ARRAY[$1] WHERE id = $2",
			jobs.ClientID(jobstest.Host, by), job.Job.ID)
		return job.Job.ID
	}
	dead := uuid.New()
	store := run(jobs.StoreArgs{TranscodeID: stored.ID, Attempt: 1, Rendition: "gone"}, dead)
	residue := run(jobs.ResidueArgs{TranscodeID: stored.ID}, dead)
	own := run(jobs.ResidueArgs{TranscodeID: stored.ID}, boot)
	reconciled(t, b, boot)
	for id, want := range map[int64]rivertype.JobState{
		store: rivertype.JobStateCancelled, residue: rivertype.JobStateAvailable, own: rivertype.JobStateRunning,
	} {
		job, err := b.River.JobGet(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, want, job.State, job.Kind)
	}
}

var errBroken = errors.New("nothing works")

// brokenEngine can do nothing.
type brokenEngine struct{ Engine }

func (brokenEngine) Added(context.Context) ([]engine.Name, error) { return nil, errBroken }

func (brokenEngine) Memory() ([]engine.Memory, error) { return nil, errBroken }

// stuckProcess can't be ended.
type stuckProcess struct {
	engine.Process
	asked int
}

func (*stuckProcess) ID() int { return 1 }

func (p *stuckProcess) Stop(context.Context, time.Duration) error {
	p.asked++
	return errBroken
}

// One thing that can't be done holds up no other.
func TestReconcileGoesOn(t *testing.T) {
	t.Parallel()
	pool, err := pgxpool.New(t.Context(), "postgres://nobody@127.0.0.1:1/none")
	require.NoError(t, err)
	defer pool.Close()
	h := &Host{ID: jobstest.Host, DB: pool, Log: jobstest.Silent(), Spool: t.TempDir(), Engine: brokenEngine{}, looks: newLooks()}
	name := engine.Name{Transcode: uuid.New(), Attempt: 1}
	require.NoError(t, os.Mkdir(h.folder(name), spoolMode))
	one, other := &stuckProcess{}, &stuckProcess{}
	h.looks.whole = &look{whole: reading{began: time.Now().Add(time.Hour)}, folders: []engine.Name{name}, processes: []engine.Found{
		{Process: one, Folder: h.folder(name)}, {Process: other, Folder: h.folder(name)},
	}}
	err = h.reconcile(t.Context(), nil)
	require.Equal(t, []int{1, 1}, []int{one.asked, other.asked})
	for _, part := range []string{"end orphan", "list streams", "look for attempts", "sweep shared memory", "list this host's work"} {
		require.ErrorContains(t, err, part)
	}
	require.DirExists(t, h.folder(name), "nobody knows whose it is")
}
