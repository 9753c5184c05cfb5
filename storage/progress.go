package storage

import (
	"context"
	"io"
	"sync"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
)

// progress tells a listener how far a transfer is, one call at a time and
// never backwards.
type progress struct {
	tell  func(done, total int64)
	total int64

	mu   sync.Mutex
	done int64
}

var _ transfermanager.ObjectBytesTransferredListener = (*progress)(nil)

func (p *progress) set(done int64) {
	if p.tell == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if done > p.done {
		p.done = done
		p.tell(done, p.total)
	}
}

// OnObjectBytesTransferred is called by the transfer manager after each part.
func (p *progress) OnObjectBytesTransferred(_ context.Context, event *transfermanager.ObjectBytesTransferredEvent) {
	p.set(event.BytesTransferred)
}

// sum adds up what several parts wrote.
type sum struct {
	progress *progress
	bytes    atomic.Int64
}

// counted is a writer whose bytes go into a sum.
type counted struct {
	to  io.Writer
	sum *sum
}

func (c *counted) Write(b []byte) (int, error) {
	n, err := c.to.Write(b)
	c.sum.progress.set(c.sum.bytes.Add(int64(n)))
	return n, err
}
