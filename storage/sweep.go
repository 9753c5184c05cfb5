package storage

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Delete removes the object at loc. That there is none is no error.
func (c *Client) Delete(ctx context.Context, loc Location) error {
	if err := checkObject("delete", loc); err != nil {
		return err
	}
	key := loc.Key()
	err := c.serve(loc, func(s *server) error {
		_, err := s.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.bucket, Key: &key})
		return err
	})
	if err != nil {
		return failure(ctx, "delete", loc, err)
	}
	return nil
}

// AbortUploads ends every multipart upload whose key starts with prefix's key, and
// returns how many: an upload there that still runs fails. On failure it returns how
// many it ended before; it can be repeated.
func (c *Client) AbortUploads(ctx context.Context, prefix Location) (int, error) {
	const op = "abort uploads"
	if !prefix.IsS3() {
		return 0, &Error{Op: op, Location: prefix, Code: CodeLocationInvalid, Err: errors.New("it is no S3 location")}
	}
	aborted := 0
	err := c.serve(prefix, func(s *server) error {
		n, err := s.abortUploads(ctx, prefix.Key())
		aborted += n
		return err
	})
	if err != nil {
		return aborted, failure(ctx, op, prefix, err)
	}
	return aborted, nil
}

func (s *server) abortUploads(ctx context.Context, prefix string) (int, error) {
	aborted := 0
	pages := s3.NewListMultipartUploadsPaginator(s.Client, &s3.ListMultipartUploadsInput{Bucket: &s.bucket, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return aborted, err
		}
		for _, upload := range page.Uploads {
			_, err := s.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{
				Bucket: &s.bucket, Key: upload.Key, UploadId: upload.UploadId,
			})
			switch {
			case err == nil:
				aborted++
			case apiCode(err) != codeNoSuchUpload: // else somebody was faster
				return aborted, err
			}
		}
	}
	return aborted, nil
}
