package storage

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Delete removes the object at loc. That there is none is no error.
func (c *Client) Delete(ctx context.Context, loc Location) (err error) {
	defer func() { c.done("delete", 0, err) }()
	if err := checkObject("delete", loc); err != nil {
		return err
	}
	key := loc.Key()
	err = c.serve(loc, func(s *server) error {
		_, err := s.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.bucket, Key: &key})
		return err
	})
	if err != nil {
		return failure(ctx, "delete", loc, err)
	}
	return nil
}

// DeleteFolder removes every object below loc, and ends the uploads of such: nobody else
// may write there. It returns how many objects it removed, also on failure; it can be
// repeated.
func (c *Client) DeleteFolder(ctx context.Context, loc Location) (removed int, err error) {
	const op = "delete folder"
	defer func() { c.done(op, 0, err) }()
	if err := checkObject(op, loc); err != nil {
		return 0, err
	}
	err = c.serve(loc, func(s *server) error {
		n, err := s.deleteFolder(ctx, loc.Key()+"/")
		removed += n
		return err
	})
	if err != nil {
		return removed, failure(ctx, op, loc, err)
	}
	return removed, nil
}

func (s *server) deleteFolder(ctx context.Context, prefix string) (removed int, err error) {
	uploads := s3.NewListMultipartUploadsPaginator(s.Client, &s3.ListMultipartUploadsInput{Bucket: &s.bucket, Prefix: &prefix})
	for uploads.HasMorePages() {
		page, err := uploads.NextPage(ctx)
		if err != nil {
			return removed, err
		}
		for _, upload := range page.Uploads {
			_, err := s.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &s.bucket, Key: upload.Key, UploadId: upload.UploadId})
			if err != nil && apiCode(err) != codeNoSuchUpload {
				return removed, err
			}
		}
	}
	pages := s3.NewListObjectsV2Paginator(s.Client, &s3.ListObjectsV2Input{Bucket: &s.bucket, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return removed, err
		}
		for _, object := range page.Contents {
			// One by one: servers differ in what they take of a deletion of many.
			if _, err := s.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.bucket, Key: object.Key}); err != nil {
				return removed, err
			}
			removed++
		}
	}
	return removed, nil
}

// AbortUploads ends every multipart upload to the object at loc, and returns how many:
// one that still runs fails. Objects whose keys begin with this one's are left alone. On
// failure it returns how many it ended before; it can be repeated.
func (c *Client) AbortUploads(ctx context.Context, loc Location) (aborted int, err error) {
	const op = "abort uploads"
	defer func() { c.done(op, 0, err) }()
	if err := checkObject(op, loc); err != nil {
		return 0, err
	}
	err = c.serve(loc, func(s *server) error {
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
