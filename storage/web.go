package storage

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// firstPause is what a retry of an http(s) source waits at least half of; each
// further one doubles it.
const firstPause = 200 * time.Millisecond

// web reads one http(s) source. The first answer settles what the source is;
// every later one must be of the same.
type web struct {
	client *Client
	loc    Location

	known    bool
	ranges   bool  // the server serves ranges
	total    int64 // -1 when the server doesn't tell
	etag     string
	modified string // only where there is no strong ETag
}

// tells says whether another version would show in the facts.
func (w *web) tells() bool { return w.etag != "" || w.modified != "" }

// named is what names the version; "" where a weak ETag alone does, or nothing.
func (w *web) named() string {
	if strong(w.etag) {
		return w.etag
	}
	return w.modified
}

// strong says whether an ETag is of the bytes: a weak one is of what they mean.
func strong(etag string) bool { return etag != "" && !strings.HasPrefix(etag, "W/") }

// fetchWeb has no HEAD, because a presigned URL is for GET only: the first
// range tells whether there are ranges at all.
func (c *Client) fetchWeb(ctx context.Context, loc Location, path string, opt FetchOptions) (Fetched, error) {
	w := &web{client: c, loc: loc}
	var body io.ReadCloser
	err := w.attempts(ctx, func() (err error) {
		body, err = w.get(ctx, 0, partBytes-1)
		return err
	})
	if err != nil {
		return Fetched{}, err
	}
	defer body.Close()

	ctx, stop := context.WithCancel(ctx)
	defer stop()
	file, err := opt.create(path, w.total, stop)
	if err != nil {
		return Fetched{}, err
	}
	defer file.discard()
	defer c.pace(file)()
	p := &progress{tell: opt.OnProgress, total: w.total}
	size := w.total
	switch {
	case w.ranges && w.tells():
		err = w.readRanges(ctx, body, file, p)
	case w.ranges:
		// Nobody could tell whether the next range is of the same version.
		w.ranges = false
		body.Close()
		size, err = w.readWhole(ctx, nil, file, p)
	default:
		size, err = w.readWhole(ctx, body, file, p)
	}
	if err := cmp.Or(file.failed(), err); err != nil {
		return Fetched{}, err
	}
	if err := file.commit(); err != nil {
		return Fetched{}, err
	}
	return fetchedAs(path, size, w.etag, w.named())
}

// get asks for the bytes from..to, both included, and settles or checks the
// facts. Without ranges it is the whole source that comes.
func (w *web) get(ctx context.Context, from, to int64) (io.ReadCloser, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, string(w.loc.Secret()), http.NoBody)
	if err != nil {
		return nil, codedf(CodeLocationInvalid, "it is no valid URL")
	}
	request.Header.Set("Accept-Encoding", "identity")
	if !w.known || w.ranges {
		request.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", from, to))
	}
	// A weak ETag must not be in If-Match (RFC 9110, 13.1.1).
	if strong(w.etag) {
		request.Header.Set("If-Match", w.etag)
	}
	response, err := w.client.web.Do(request)
	if err != nil {
		return nil, err
	}
	if err := w.settle(response, from, to); err != nil {
		response.Body.Close()
		return nil, err
	}
	return response.Body, nil
}

// settle reads the facts from the head of a response.
func (w *web) settle(response *http.Response, from, to int64) error {
	facts := web{client: w.client, loc: w.loc, known: true, etag: response.Header.Get("ETag")}
	if !strong(facts.etag) {
		facts.modified = response.Header.Get("Last-Modified")
	}
	switch response.StatusCode {
	case http.StatusOK:
		facts.total = response.ContentLength
	case http.StatusPartialContent:
		first, last, total, err := contentRange(response.Header.Get("Content-Range"))
		if err != nil {
			return err
		}
		if first != from || last > to {
			return codedf(CodeSourceRefused, "the server sent another range than was asked for")
		}
		facts.ranges, facts.total = true, total
	case http.StatusRequestedRangeNotSatisfiable:
		// No range lies in an empty source.
		if w.known || response.Header.Get("Content-Range") != "bytes */0" {
			return statusError(response.StatusCode)
		}
		response.Body.Close()
		response.Body = http.NoBody
	default:
		return statusError(response.StatusCode)
	}
	if w.known && facts != *w {
		return codedf(CodeSourceChanged, "a later answer is of another version than the first")
	}
	*w = facts
	return nil
}

// readRanges copies the first part from body and the others in parallel.
func (w *web) readRanges(ctx context.Context, body io.Reader, file *partial, p *progress) error {
	sum := &sum{progress: p}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(partConcurrency)
	for from := int64(0); from < w.total && ctx.Err() == nil; from += partBytes {
		part := &part{web: w, file: file, sum: sum, next: from, last: min(from+partBytes, w.total) - 1}
		if from == 0 {
			part.body = body
		}
		group.Go(func() error { return part.read(ctx) })
	}
	return group.Wait()
}

// readWhole copies the source in one go, from the start again when it breaks.
func (w *web) readWhole(ctx context.Context, body io.ReadCloser, file *partial, p *progress) (int64, error) {
	var size int64
	err := w.attempts(ctx, func() (err error) {
		if body == nil {
			if body, err = w.get(ctx, 0, 0); err != nil {
				body = nil
				return err
			}
		}
		defer func() {
			body.Close()
			body = nil
		}()
		target := &counted{to: io.NewOffsetWriter(file, 0), sum: &sum{progress: p}}
		size, err = io.Copy(target, body)
		return err
	})
	if err != nil {
		return 0, err
	}
	if w.total >= 0 && size != w.total {
		return 0, codedf(CodeSourceChanged, "%d bytes came of %d", size, w.total)
	}
	return size, nil
}

// part is one range on its way to the file; it goes on where it broke.
type part struct {
	web        *web
	file       *partial
	sum        *sum
	next, last int64
	body       io.Reader // the answer in hand, if any
}

func (p *part) read(ctx context.Context) error {
	return p.web.attempts(ctx, func() error {
		// A server may send less than was asked for; it is asked for the rest.
		for p.next <= p.last {
			if err := p.readBody(ctx); err != nil {
				return err
			}
		}
		return nil
	})
}

func (p *part) readBody(ctx context.Context) error {
	body := p.body
	p.body = nil
	if body == nil {
		// The facts are settled, so that a copy serves and nothing is shared.
		source := *p.web
		opened, err := source.get(ctx, p.next, p.last)
		if err != nil {
			return err
		}
		defer opened.Close()
		body = opened
	}
	target := &counted{to: io.NewOffsetWriter(p.file, p.next), sum: p.sum}
	n, err := io.Copy(target, io.LimitReader(body, p.last-p.next+1))
	p.next += n
	if err == nil && n == 0 {
		return io.ErrUnexpectedEOF
	}
	return err
}

// attempts calls try until it succeeds, fails for good, or has failed as often
// as Config allows. It waits between.
func (w *web) attempts(ctx context.Context, try func() error) error {
	pause := firstPause
	for attempt := 1; ; attempt++ {
		err := try()
		if err == nil || attempt >= w.client.config.MaxAttempts || !w.worthRetry(err) {
			return err
		}
		pause = min(pause, w.client.config.MaxBackoff)
		timer := time.NewTimer(pause/2 + rand.N(pause/2+1))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return err
		}
		pause *= 2
	}
}

func (w *web) worthRetry(err error) bool {
	if _, ok := errors.AsType[*coded](err); ok {
		return false
	}
	if hostUnknown(err) {
		return false
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return false
	}
	code, _ := classify(w.loc, err)
	return code == CodeSourceUnreachable
}

// statusError is an answer that is not the source.
type statusError int

func (s statusError) Error() string       { return fmt.Sprintf("status %d", int(s)) }
func (s statusError) HTTPStatusCode() int { return int(s) }
