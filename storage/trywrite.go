package storage

import (
	"context"
	"crypto/rand"
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
