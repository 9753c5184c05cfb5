package poll

import (
	"context"
	"encoding/json"
	"sync"

	"github.com/riverqueue/river/riverdriver"
)

// topicInsert is River's for jobs that were inserted; its payload names the queue.
const topicInsert = "river_insert"

// listener is River's of a connection that LISTENs, told by what is asked. Of what River says
// to its clients besides, that a queue is paused or a job is cancelled, it hears nothing: River
// looks for both by itself, seldom, and so it does where a notification is lost.
type listener struct {
	asks   *asks
	schema string

	end   context.CancelFunc
	ended sync.WaitGroup
	news  chan string
}

var _ riverdriver.Listener = (*listener)(nil)

// Connect implements riverdriver.Listener.
func (l *listener) Connect(ctx context.Context) error {
	running, end := context.WithCancel(context.WithoutCancel(ctx))
	l.end, l.news = end, make(chan string)
	l.ended.Go(func() {
		l.asks.run(running, func(queue string) {
			select {
			case l.news <- queue:
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
	case queue := <-l.news:
		payload, err := json.Marshal(map[string]string{"queue": queue})
		return &riverdriver.Notification{Topic: topicInsert, Payload: string(payload)}, err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Schema implements riverdriver.Listener.
func (l *listener) Schema() string { return l.schema }

// Listen implements riverdriver.Listener.
func (*listener) Listen(context.Context, string) error { return nil }

// Unlisten implements riverdriver.Listener.
func (*listener) Unlisten(context.Context, string) error { return nil }

// Ping implements riverdriver.Listener.
func (*listener) Ping(context.Context) error { return nil }

// SetAfterConnectExec implements riverdriver.Listener: it is River's tests' own.
func (*listener) SetAfterConnectExec(string) {}
