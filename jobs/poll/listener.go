package poll

import (
	"context"
	"encoding/json"
	"sync"

	"github.com/riverqueue/river/riverdriver"
)

// What River's clients tell each other of jobs that were inserted, and of those that are to be
// cancelled.
const (
	topicInsert  = "river_insert"
	topicControl = "river_control"
	cancelAction = "cancel"
)

// news is that a queue has a job, or that a job of it is to be cancelled, if one is named.
type news struct {
	queue     string
	cancelled int64
}

// listener is River's of a connection that LISTENs, told by what is asked. That a queue is paused
// it does not hear: River looks for that by itself, as it does where a notification is lost.
type listener struct {
	asks *asks

	end   context.CancelFunc
	ended sync.WaitGroup
	heard chan news
}

var _ riverdriver.Listener = (*listener)(nil)

// Connect implements riverdriver.Listener.
func (l *listener) Connect(ctx context.Context) error {
	running, end := context.WithCancel(context.WithoutCancel(ctx))
	l.end, l.heard = end, make(chan news)
	l.ended.Go(func() {
		l.asks.run(running, func(n news) {
			select {
			case l.heard <- n:
			case <-running.Done():
			}
		})
	})
	return nil
}

// Close implements riverdriver.Listener.
func (l *listener) Close(context.Context) error {
	if l.end != nil {
		l.end()
		l.ended.Wait()
	}
	return nil
}

// WaitForNotification implements riverdriver.Listener.
func (l *listener) WaitForNotification(ctx context.Context) (*riverdriver.Notification, error) {
	select {
	case n := <-l.heard:
		topic, said := topicInsert, map[string]any{"queue": n.queue}
		if n.cancelled != 0 {
			topic = topicControl
			said["action"], said["job_id"] = cancelAction, n.cancelled
		}
		payload, err := json.Marshal(said)
		return &riverdriver.Notification{Topic: topic, Payload: string(payload)}, err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Schema implements riverdriver.Listener.
func (l *listener) Schema() string { return l.asks.schema }

// Listen implements riverdriver.Listener.
func (*listener) Listen(context.Context, string) error { return nil }

// Unlisten implements riverdriver.Listener.
func (*listener) Unlisten(context.Context, string) error { return nil }

// Ping implements riverdriver.Listener.
func (*listener) Ping(context.Context) error { return nil }

// SetAfterConnectExec implements riverdriver.Listener: it is River's tests' own.
func (*listener) SetAfterConnectExec(string) {}
