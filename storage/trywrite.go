package storage

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

const (
	// tryName begins the name of what TryWrite writes, so that who finds one knows it.
	tryName = ".weir-try-"
	// tryText is its content.
	tryText = "Weir looks whether it may write here. This object can be removed.\n"
)

// TryWrite finds out whether objects can be written below folder: it puts a small one
// there under a name of its own, proves it as Upload does, and removes it. The errors are
// those that an Upload would fail with. objects are what is going to be written; one that
// can't be, for its key is too long, is told before anything is sent.
//
// A key that may write and not delete is no failure: what was written stays then.
func (c *Client) TryWrite(ctx context.Context, folder Location, objects ...Location) (err error) {
	const op = "try to write"
	defer func() { c.done(op, 0, err) }()
	if err := c.CheckNames(objects...); err != nil {
		return err
	}
	loc := folder.Join(tryName + rand.Text())
	if err := checkObject(op, loc); err != nil {
		return err
	}
	err = c.serve(loc, func(s *server) error { return c.tryWrite(ctx, s, loc) })
	if err != nil {
		return failure(ctx, op, loc, err)
	}
	return nil
}

// Trial is what a location allows: nil, or why not.
type Trial struct{ Put, Get, Delete error }

// Try puts a small object below folder under a name of its own, reads it and removes it,
// and tells each apart. What was not reached is the error of what came before it.
func (c *Client) Try(ctx context.Context, folder Location) (t Trial) {
	const op = "try the store"
	loc := folder.Join(tryName + rand.Text())
	if err := checkObject(op, loc); err != nil {
		return Trial{err, err, err}
	}
	key := loc.Key()
	var version *string
	if t.Put = c.serve(loc, func(s *server) error {
		out, err := sender{s.Client, s.form}.PutObject(ctx, &s3.PutObjectInput{
			Bucket: &s.bucket, Key: &key, Body: strings.NewReader(tryText), ContentType: aws.String("text/plain"),
		})
		if err == nil {
			version = out.VersionId
		}
		return err
	}); t.Put != nil {
		t.Put = failure(ctx, op, loc, t.Put)
		return Trial{t.Put, t.Put, t.Put}
	}
	t.Get = c.serve(loc, func(s *server) error { return readTry(ctx, s, key) })
	if t.Get != nil {
		t.Get = failure(ctx, op, loc, t.Get)
	}
	// Also after the end of ctx. Named with its version, a bucket that keeps versions keeps
	// none; that is a right of its own.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTimeout)
	defer cancel()
	t.Delete = c.serve(loc, func(s *server) error {
		_, err := s.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.bucket, Key: &key, VersionId: version})
		if err != nil && version != nil {
			_, err = s.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.bucket, Key: &key})
		}
		return err
	})
	if t.Delete != nil {
		t.Delete = failure(ctx, op, loc, t.Delete)
	}
	return t
}

// FirstBucket is one of the buckets that a key may see on the server of loc, whose own need
// not be there; "" where there is none.
func (c *Client) FirstBucket(ctx context.Context, loc Location) (name string, err error) {
	const op = "list buckets"
	defer func() { c.done(op, 0, err) }()
	err = c.serve(loc, func(s *server) error {
		out, err := s.ListBuckets(ctx, &s3.ListBucketsInput{MaxBuckets: aws.Int32(1)})
		if err == nil && len(out.Buckets) > 0 {
			name = aws.ToString(out.Buckets[0].Name)
		}
		return err
	})
	if err != nil {
		return "", failure(ctx, op, loc, err)
	}
	return name, nil
}

func readTry(ctx context.Context, s *server, key string) error {
	out, err := s.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.bucket, Key: &key})
	if err != nil {
		return err
	}
	defer func() { _ = out.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(out.Body, int64(len(tryText))+1))
	if err != nil {
		return err
	}
	if string(text) != tryText {
		return codedf(CodeChecksumMismatch, "%d other bytes were read than the %d that were written", len(text), len(tryText))
	}
	return nil
}

// TryRead finds out whether objects can be read below folder, by asking for one that is not
// there. A key that may not list gets a refusal for it too, which says nothing of what is
// there: then the error is as of a key that is refused.
func (c *Client) TryRead(ctx context.Context, folder Location) error {
	const op = "try to read"
	loc := folder.Join(tryName + rand.Text())
	if err := checkObject(op, loc); err != nil {
		return err
	}
	key := loc.Key()
	err := c.serve(loc, func(s *server) error { return readTry(ctx, s, key) })
	if err == nil {
		return nil
	}
	err = failure(ctx, op, loc, err)
	if known, ok := errors.AsType[*Error](err); ok && known.Code == CodeObjectMissing {
		return nil
	}
	return err
}

// CheckNames tells of objects that can't be written whoever tries, for their keys.
func (*Client) CheckNames(objects ...Location) error {
	for _, object := range objects {
		if err := checkObject("try to write", object); err != nil {
			return err
		}
	}
	return nil
}

func (c *Client) tryWrite(ctx context.Context, s *server, loc Location) error {
	key := loc.Key()
	crc := newCRC()
	crc.Write([]byte(tryText))
	out, err := sender{s.Client, s.form}.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &s.bucket, Key: &key, Body: strings.NewReader(tryText), ContentType: aws.String("text/plain"),
	})
	if err != nil {
		return err
	}
	_, err = c.verify(ctx, s, key, Object{Bytes: int64(len(tryText)), Checksum: checksumText(crc)})
	// Also after the end of ctx, and without a word of its failure: whether it could be
	// written is known. Named with its version, a bucket that keeps versions keeps none.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTimeout)
	defer cancel()
	_, kept := s.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.bucket, Key: &key, VersionId: out.VersionId})
	if kept != nil && out.VersionId != nil { // that is a right of its own
		_, _ = s.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.bucket, Key: &key})
	}
	if err != nil {
		return unverified(loc, err)
	}
	return nil
}
