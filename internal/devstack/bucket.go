package devstack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// MakeBucket makes a bucket; one that we have already is left as it is.
func (s *S3) MakeBucket(ctx context.Context, name string) error {
	_, err := s.Client().CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &name})
	if _, ours := errors.AsType[*types.BucketAlreadyOwnedByYou](err); err != nil && !ours {
		return fmt.Errorf("make bucket %s at %s: %w", name, s.Endpoint, err)
	}
	return nil
}

// RemoveBucket removes a bucket with all its objects and half uploads.
func (s *S3) RemoveBucket(ctx context.Context, name string) error {
	client := s.Client()
	uploads, err := s.HalfUploads(ctx, name)
	if err != nil {
		return err
	}
	for _, upload := range uploads {
		if _, err := client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &name, Key: upload.Key, UploadId: upload.UploadId}); err != nil {
			return fmt.Errorf("abort the upload of %s in bucket %s: %w", *upload.Key, name, err)
		}
	}
	objects := s3.NewListObjectsV2Paginator(client, &s3.ListObjectsV2Input{Bucket: &name})
	for objects.HasMorePages() {
		page, err := objects.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("list bucket %s: %w", name, err)
		}
		for _, object := range page.Contents {
			if _, err := client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &name, Key: object.Key}); err != nil {
				return fmt.Errorf("delete %s from bucket %s: %w", *object.Key, name, err)
			}
		}
	}
	if _, err := client.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: &name}); err != nil {
		return fmt.Errorf("remove bucket %s: %w", name, err)
	}
	return nil
}

// HalfUploads lists the multipart uploads of a bucket that were neither
// completed nor aborted.
func (s *S3) HalfUploads(ctx context.Context, bucket string) ([]types.MultipartUpload, error) {
	var uploads []types.MultipartUpload
	pages := s3.NewListMultipartUploadsPaginator(s.Client(), &s3.ListMultipartUploadsInput{Bucket: &bucket})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list the uploads of bucket %s: %w", bucket, err)
		}
		uploads = append(uploads, page.Uploads...)
	}
	return uploads, nil
}

// Put stores an object.
func (s *S3) Put(ctx context.Context, bucket, key string, body io.ReadSeeker) error {
	if _, err := s.Client().PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: body}); err != nil {
		return fmt.Errorf("put %s into bucket %s: %w", key, bucket, err)
	}
	return nil
}

// Download stores an object's content in a new local file.
func (s *S3) Download(ctx context.Context, bucket, key, path string) error {
	object, err := s.Client().GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return fmt.Errorf("get %s from bucket %s: %w", key, bucket, err)
	}
	defer object.Body.Close()
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("download %s: %w", key, err)
	}
	_, err = io.Copy(f, object.Body)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("download %s from bucket %s: %w", key, bucket, err)
	}
	return nil
}
