package storage

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// FetchOptions are the limits of a fetch. The zero value has none.
type FetchOptions struct {
	// MaxBytes is the largest source that is taken; 0 is any.
	MaxBytes int64
	// OnProgress is called as bytes arrive, one call at a time and with done
	// growing; total is -1 when the server doesn't tell. It must not block.
	OnProgress func(done, total int64)
}

// Fetched is what Fetch put into the spool.
type Fetched struct {
	// Bytes is the length of the file.
	Bytes int64
	// ETag is the server's name for this version, "" when it gave none.
	ETag string
	// Identity tells versions of a source apart: two fetches of one location that brought
	// other bytes have another one. It is made of the ETag or the date that the server
	// gives and of the length, or of the bytes where it gives neither.
	Identity string
	// Begins is when a recording began, as its playlist tells; zero: it tells nothing.
	Begins time.Time

	// from is where it came from in the end, behind redirects.
	from Location
}

// Fetch copies the source at loc to the file path, in parallel ranges where
// the server can. It blocks until path is whole, or fails and leaves nothing;
// a file that was at path before is replaced. All ranges are of one version of
// the source: if it changes meanwhile, Fetch fails with CodeSourceChanged. A source
// that could not tell comes in one piece. Broken connections and 5xx are retried
// within Config's bounds; what comes, but hardly, is CodeSourceTooSlow.
//
// A playlist ([Location.IsPlaylist]) is fetched with the segments of its best variant, one
// behind the other in the file; its Identity is theirs.
//
// Only one Fetch at a time may write to path.
func (c *Client) Fetch(ctx context.Context, loc Location, path string, opt FetchOptions) (got Fetched, err error) {
	defer func() { c.done("fetch", got.Bytes, err) }()
	if !loc.IsPlaylist() {
		return c.fetchFile(ctx, loc, path, opt)
	}
	fetched, err := c.fetchPlaylist(ctx, loc, path, opt)
	if err != nil {
		return Fetched{}, failure(ctx, "fetch", loc, err)
	}
	return fetched, nil
}

func (c *Client) fetchFile(ctx context.Context, loc Location, path string, opt FetchOptions) (Fetched, error) {
	if err := c.CheckSource(loc); err != nil {
		return Fetched{}, err
	}
	var fetched Fetched
	var err error
	if loc.IsS3() {
		err = c.serve(loc, func(s *server) error {
			fetched, err = c.fetchS3(ctx, s, loc.Key(), path, opt)
			fetched.from = loc
			return err
		})
	} else {
		fetched, err = c.fetchWeb(ctx, loc, path, opt)
	}
	if err != nil {
		return Fetched{}, failure(ctx, "fetch", loc, err)
	}
	return fetched, nil
}

func (c *Client) fetchS3(ctx context.Context, s *server, key, path string, opt FetchOptions) (Fetched, error) {
	head, err := s.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.bucket, Key: &key})
	if err != nil {
		return Fetched{}, s.ask(ctx, key, err)
	}
	size, etag := aws.ToInt64(head.ContentLength), aws.ToString(head.ETag)

	ctx, stop := context.WithCancel(ctx)
	defer stop()
	file, err := opt.create(path, size, stop)
	if err != nil {
		return Fetched{}, err
	}
	defer file.discard()
	defer c.pace(file)()
	// No range lies in an empty object.
	if size > 0 {
		manager := c.transfer(s, &progress{tell: opt.OnProgress, total: size})
		out, err := manager.DownloadObject(ctx, &transfermanager.DownloadObjectInput{
			Bucket: &s.bucket, Key: &key, IfMatch: head.ETag, WriterAt: file,
		})
		if err := cmp.Or(file.failed(), err); err != nil {
			return Fetched{}, err
		}
		if got := aws.ToInt64(out.ContentLength); got != size {
			return Fetched{}, codedf(CodeSourceChanged, "%d bytes came of %d", got, size)
		}
	}
	if err := file.commit(); err != nil {
		return Fetched{}, err
	}
	named := etag
	if named == "" {
		named = aws.ToString(head.VersionId)
	}
	return fetchedAs(path, size, etag, named)
}

// create opens the file for a source of size bytes, -1 when unknown, if the
// limit lets it in.
func (opt FetchOptions) create(path string, size int64, stop func()) (*partial, error) {
	most := cmp.Or(opt.MaxBytes, math.MaxInt64)
	tooLarge := codedf(CodeSourceTooLarge, "more than %d bytes", most)
	if size > most {
		return nil, codedf(CodeSourceTooLarge, "%d bytes, the limit is %d", size, most)
	}
	if size < 0 {
		return createPartial(path, size, most, tooLarge, stop)
	}
	return createPartial(path, size, size, codedf(CodeSourceChanged, "more than the %d bytes that were announced", size), stop)
}

// contentRange reads "bytes first-last/total", as RFC 9110 section 14.4 has it.
func contentRange(header string) (first, last, total int64, err error) {
	if _, err := fmt.Sscanf(header, "bytes %d-%d/%d", &first, &last, &total); err != nil {
		return 0, 0, 0, codedf(CodeSourceRefused, "the server sent no usable Content-Range")
	}
	if first < 0 || last < first || total <= last {
		return 0, 0, 0, codedf(CodeSourceRefused, "the server sent an impossible Content-Range")
	}
	return first, last, total, nil
}
