package poll

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"weir/db/dbtest"
	"weir/db/migrations"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// comes is when a job has to have come: a slow machine's patience.
const comes = 30 * time.Second

// askOften has a test wait for no question.
const askOften = 10 * time.Millisecond

type args struct {
	Name string `json:"name"`
}

func (args) Kind() string { return "poll_test" }

type worker struct {
	river.WorkerDefaults[args]
	worked chan string
}

// Work tells of a job. One that is to hang does until it is cancelled, and tells of that too.
func (w *worker) Work(ctx context.Context, job *river.Job[args]) error {
	w.worked <- job.Args.Name
	if job.Args.Name == hangs {
		<-ctx.Done()
		w.worked <- cancelled
	}
	return ctx.Err()
}

const hangs, cancelled = "hangs", "cancelled"

// start starts a client that polls for the queue own, and for one that all share, each so often.
func start(t *testing.T, pool *pgxpool.Pool, every, ownFor time.Duration) (*river.Client[pgx.Tx], *asks, <-chan string) {
	t.Helper()
	w := &worker{worked: make(chan string)}
	workers := river.NewWorkers()
	river.AddWorker(workers, w)
	settings := &river.Config{
		Schema: migrations.Schema, Workers: workers, LeaderElectionDisabled: true, Logger: slog.New(slog.DiscardHandler),
		FetchPollInterval: time.Hour,
		Queues:            map[string]river.QueueConfig{"own": {MaxWorkers: 2}, "shared": {MaxWorkers: 2}},
	}
	driver := Room(settings, pool, "shared")
	driver.asks.every, driver.asks.ownFor = every, ownFor
	client, err := river.NewClient(driver, settings)
	require.NoError(t, err)
	require.NoError(t, client.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, client.Stop(context.WithoutCancel(t.Context()))) })
	return client, driver.asks, w.worked
}

// another is another process' client, which only inserts and cancels.
func another(t *testing.T, pool *pgxpool.Pool) *river.Client[pgx.Tx] {
	t.Helper()
	client, err := river.NewClient(riverpgxv5.New(pool), &river.Config{Schema: migrations.Schema})
	require.NoError(t, err)
	return client
}

func hears(t *testing.T, worked <-chan string, name string) {
	t.Helper()
	select {
	case heard := <-worked:
		require.Equal(t, name, heard)
	case <-time.After(comes):
		require.Fail(t, "the job did not come")
	}
}

// What another process inserts is heard of by asking; of a queue that all share River is not told.
func TestHearsOfOthers(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	other := another(t, pool)
	_, of, worked := start(t, pool, askOften, ownFor)
	require.False(t, of.fetches("own"), "an empty queue is not fetched from")
	_, err := other.Insert(t.Context(), args{"shared"}, &river.InsertOpts{Queue: "shared"})
	require.NoError(t, err)
	require.Eventually(t, func() bool { return of.fetches("shared") }, comes, time.Millisecond)
	require.NotContains(t, of.worth(), "shared")
	for _, name := range []string{"a", "b"} {
		_, err = other.Insert(t.Context(), args{name}, &river.InsertOpts{Queue: "own"})
		require.NoError(t, err)
		hears(t, worked, name)
	}
	require.Eventually(t, func() bool { return !of.fetches("own") }, comes, time.Millisecond, "it is empty again")
}

// What this process inserts is fetched without asking.
func TestHearsOfItsOwn(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	client, of, worked := start(t, pool, time.Hour, time.Hour)
	tx, err := pool.Begin(t.Context())
	require.NoError(t, err)
	_, err = client.InsertTx(t.Context(), tx, args{"later"}, &river.InsertOpts{Queue: "own"})
	require.NoError(t, err)
	require.True(t, of.fetches("own"))
	require.NoError(t, tx.Commit(t.Context()))
	hears(t, worked, "later")
}

// Who inserts one job after the other hears of them all the same.
func TestHearsWhileItInserts(t *testing.T) {
	t.Parallel()
	client, of, worked := start(t, dbtest.New(t), time.Hour, time.Hour)
	_, err := client.Insert(t.Context(), args{"first"}, &river.InsertOpts{Queue: "own"})
	require.NoError(t, err)
	late := time.After(comes)
	for {
		select {
		case heard := <-worked:
			require.Equal(t, "first", heard)
			return
		case <-late:
			require.Fail(t, "it is put off")
		default:
			of.inserted("own")
		}
	}
}

// A job that another process cancels hears of it by asking.
func TestHearsOfCancels(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	other := another(t, pool)
	_, _, worked := start(t, pool, askOften, ownFor)
	job, err := other.Insert(t.Context(), args{hangs}, &river.InsertOpts{Queue: "own"})
	require.NoError(t, err)
	hears(t, worked, hangs)
	_, err = other.JobCancel(t.Context(), job.Job.ID)
	require.NoError(t, err)
	hears(t, worked, cancelled)
}
