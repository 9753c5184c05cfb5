package storage

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
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

// AbortUploads ends every multipart upload to the object at loc, and returns how many:
// one that still runs fails. Objects whose keys begin with this one's are left alone. On
// failure it returns how many it ended before; it can be repeated.
func (c *Client) AbortUploads(ctx context.Context, loc Location) (int, error) {
	const op = "abort uploads"
	if err := checkObject(op, loc); err != nil {
		return 0, err
	}
	aborted := 0
	err := c.serve(loc, func(s *server) error {
		n, err := s.abortUploads(ctx, loc.Key())
		aborted += n
		return err
	})
	if err != nil {
		return aborted, failure(ctx, op, loc, err)
	}
	return aborted, nil
}

func (s *server) abortUploads(ctx context.Context, key string) (int, error) {
	aborted := 0
	// S3 lists by prefix alone: those of "a.ts.ts" come along with those of "a.ts".
	pages := s3.NewListMultipartUploadsPaginator(s.Client, &s3.ListMultipartUploadsInput{Bucket: &s.bucket, Prefix: &key})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return aborted, err
		}
		for _, upload := range page.Uploads {
			if aws.ToString(upload.Key) != key {
				continue
			}
			_, err := s.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{
				Bucket: &s.bucket, Key: &key, UploadId: upload.UploadId,
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
