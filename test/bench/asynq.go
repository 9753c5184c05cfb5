package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/hibiken/asynq"

	"weir/internal/devstack/redis"
)

// asAsynq is this program as a naive worker of asynq, on Redis.
const asAsynq = "asynq"

// asynqWorker works until it is killed.
func asynqWorker(ctx context.Context) error {
	work, err := newNaiveWork()
	if err != nil {
		return err
	}
	mux := asynq.NewServeMux()
	mux.HandleFunc(naiveTask{}.Kind(), func(ctx context.Context, t *asynq.Task) error {
		var task naiveTask
		if err := json.Unmarshal(t.Payload(), &task); err != nil {
			return fmt.Errorf("read a task: %w", err)
		}
		return work.transcode(ctx, t.ResultWriter().TaskID(), &task)
	})
	server := asynq.NewServer(asynq.RedisClientOpt{Addr: os.Getenv(naiveQueue)}, asynq.Config{Concurrency: naiveSlots})
	if err := server.Start(mux); err != nil {
		return fmt.Errorf("start asynq's server: %w", err)
	}
	defer server.Shutdown()
	<-ctx.Done()
	return nil
}

// asynqContender is that worker, on a Redis of its own.
type asynqContender struct {
	naiveProcess

	redis  *redis.Redis
	client *asynq.Client
}

func (b *bench) newAsynq(ctx context.Context) (_ *asynqContender, err error) {
	dir, err := b.stack.Folder.Make("redis")
	if err != nil {
		return nil, err
	}
	a := &asynqContender{}
	if a.redis, err = redis.Start(ctx, &redis.Config{Dir: dir}); err != nil {
		return nil, err
	}
	a.client = asynq.NewClient(asynq.RedisClientOpt{Addr: a.redis.Address})
	if a.naiveProcess, err = b.newNaiveProcess(asAsynq, a.redis.Address); err == nil {
		err = a.restart(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, a.close())
	}
	return a, nil
}

func (a *asynqContender) close() error {
	return errors.Join(a.kill(), a.client.Close(), a.redis.Close())
}

func (*asynqContender) name() string { return "a worker of asynq with its defaults" }

func (a *asynqContender) server() (string, server) { return "Redis", a.redis }

func (a *asynqContender) accept(ctx context.Context) (string, error) {
	task := a.next()
	payload, err := json.Marshal(task)
	if err != nil {
		return "", err
	}
	if _, err := a.client.EnqueueContext(ctx, asynq.NewTask(task.Kind(), payload)); err != nil {
		return "", fmt.Errorf("enqueue a task for %s: %w", task.ID, err)
	}
	return task.ID, nil
}
