package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

// asRiver is this program as a naive worker of River, on Postgres.
const asRiver = "river"

type riverWork struct {
	river.WorkerDefaults[naiveTask]

	work *naiveWork
}

// Work implements river.Worker.
func (w *riverWork) Work(ctx context.Context, job *river.Job[naiveTask]) error {
	return w.work.transcode(ctx, strconv.FormatInt(job.ID, 10), &job.Args)
}

// riverWorker works until it is killed.
func riverWorker(ctx context.Context) error {
	work, err := newNaiveWork()
	if err != nil {
		return err
	}
	pool, err := pgxpool.New(ctx, os.Getenv(naiveQueue))
	if err != nil {
		return fmt.Errorf("open the database: %w", err)
	}
	defer pool.Close()
	workers := river.NewWorkers()
	river.AddWorker(workers, &riverWork{work: work})
	client, err := river.NewClient(riverpgxv5.New(pool), &river.Config{
		Queues: map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: naiveSlots}}, Workers: workers,
	})
	if err != nil {
		return fmt.Errorf("make a River client: %w", err)
	}
	if err := client.Start(ctx); err != nil {
		return fmt.Errorf("start the River client: %w", err)
	}
	<-client.Stopped()
	return nil
}

// riverContender is that worker, on a database of its own of the stack's Postgres.
type riverContender struct {
	naiveProcess

	pool   *pgxpool.Pool
	client *river.Client[pgx.Tx]
}

func (b *bench) newRiver(ctx context.Context) (_ *riverContender, err error) {
	u, err := url.Parse(string(b.stack.Database))
	if err != nil {
		return nil, errors.New("the stack's database has no URL")
	}
	db, err := pgx.Connect(ctx, u.String())
	if err != nil {
		return nil, fmt.Errorf("connect to the stack's database: %w", err)
	}
	_, err = db.Exec(ctx, "CREATE DATABASE naive")
	if err := errors.Join(err, db.Close(ctx)); err != nil {
		return nil, fmt.Errorf("make a database: %w", err)
	}
	u.Path = "naive"
	r := &riverContender{}
	if r.naiveProcess, err = b.newNaiveProcess(asRiver, u.String()); err != nil {
		return nil, err
	}
	if r.pool, err = pgxpool.New(ctx, r.queue); err != nil {
		return nil, fmt.Errorf("open its database: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.close())
		}
	}()
	migrator, err := rivermigrate.New(riverpgxv5.New(r.pool), nil)
	if err != nil {
		return nil, fmt.Errorf("make River's tables: %w", err)
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return nil, fmt.Errorf("make River's tables: %w", err)
	}
	if r.client, err = river.NewClient(riverpgxv5.New(r.pool), &river.Config{}); err != nil {
		return nil, fmt.Errorf("make a River client: %w", err)
	}
	return r, r.restart(ctx)
}

func (r *riverContender) close() error {
	err := r.kill()
	r.pool.Close()
	return err
}

func (*riverContender) name() string { return "a worker of River with its defaults" }

func (r *riverContender) server() (string, server) { return "Postgres", r.b.stack.Postgres }

func (r *riverContender) accept(ctx context.Context) (string, error) {
	task := r.next()
	if _, err := r.client.Insert(ctx, task, nil); err != nil {
		return "", fmt.Errorf("insert a job for %s: %w", task.ID, err)
	}
	return task.ID, nil
}
