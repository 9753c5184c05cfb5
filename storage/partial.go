package storage

import (
	"errors"
	"os"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

const (
	// partialSuffix marks a file that is not whole; a crash may leave one, and
	// the next fetch to the same path takes it over.
	partialSuffix = ".partial"
	// spoolMode: a source belongs to a customer; Mist runs as the same user.
	spoolMode = 0o600
)

// partial is a file that gets its name when it is whole. Its WriteAt is safe
// for concurrent use.
type partial struct {
	path  string
	limit int64 // no byte at or beyond it is written
	over  error // what writing beyond it means
	stop  func()
	file  *os.File

	written atomic.Int64

	mu   sync.Mutex
	fail error
}

// createPartial makes the file for path. size is what it will hold, -1 when
// unknown; room for it is taken at once, so that a full disk shows before the
// transfer. The first failed write calls stop and stays in failed.
func createPartial(path string, size, limit int64, over error, stop func()) (*partial, error) {
	file, err := os.OpenFile(path+partialSuffix, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, spoolMode)
	if err != nil {
		return nil, spoolFailure(path, err)
	}
	p := &partial{path: path, limit: limit, over: over, stop: stop, file: file}
	if size > 0 {
		// Not every file system can; then the writes will tell.
		err := unix.Fallocate(int(file.Fd()), 0, 0, size)
		if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) || errors.Is(err, unix.EFBIG) {
			p.discard()
			return nil, spoolFailure(path, err)
		}
	}
	return p, nil
}

// WriteAt implements io.WriterAt.
func (p *partial) WriteAt(b []byte, offset int64) (int, error) {
	if offset+int64(len(b)) > p.limit {
		return 0, p.failWith(p.over)
	}
	n, err := p.file.WriteAt(b, offset)
	p.written.Add(int64(n))
	if err != nil {
		return n, p.failWith(spoolFailure(p.path, err))
	}
	return n, nil
}

func (p *partial) failWith(err error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fail == nil {
		p.fail = err
		p.stop()
	}
	return p.fail
}

// failed returns why the first failed write failed. The transfer manager drops
// that error's type.
func (p *partial) failed() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fail
}

// commit gives the file its name.
func (p *partial) commit() error {
	if err := p.file.Close(); err != nil {
		return spoolFailure(p.path, err)
	}
	if err := os.Rename(p.path+partialSuffix, p.path); err != nil {
		return spoolFailure(p.path, err)
	}
	return nil
}

// discard removes what was not committed. It does nothing after commit.
func (p *partial) discard() {
	// Either fails after commit; before it there is nobody to tell.
	_ = p.file.Close()
	_ = os.Remove(p.path + partialSuffix)
}
