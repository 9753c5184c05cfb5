package storage

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// How a transfer is cut. Memory is bounded by these: a fetch streams, an
// upload holds at most partConcurrency+2 parts.
const (
	// partBytes is above S3's least part (5 MiB) and, at S3's most parts
	// (10,000), enough for 78 GiB; the transfer manager takes larger parts beyond.
	partBytes = 8 << 20
	// partConcurrency fills a 1 Gbit/s line at the 30 to 80 MB/s that S3 gives one connection.
	partConcurrency = 4
)

// abortTimeout is what cleaning up may take after the caller's context ended.
const abortTimeout = 15 * time.Second

// transfer returns a transfer manager over client.
func (c *Client) transfer(client *s3.Client, p *progress) *transfermanager.Client {
	return transfermanager.New(quiet{client}, func(o *transfermanager.Options) {
		o.PartSizeBytes = partBytes
		o.MultipartUploadThreshold = partBytes
		o.Concurrency = partConcurrency
		o.GetObjectType = types.GetObjectRanges
		o.PartBodyMaxRetries = c.config.MaxAttempts
		// A range carries no checksum of its own; length and ETag are checked.
		o.DisableChecksumValidation = true
		o.FailTimeout = abortTimeout
		if c.config.PlainUploads {
			o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		}
		o.ObjectProgressListeners.Register(p)
	})
}

// quiet keeps a server's words out of the line that the transfer manager
// writes with package log when a completion fails.
type quiet struct{ *s3.Client }

var _ transfermanager.S3APIClient = quiet{}

// CompleteMultipartUpload implements transfermanager.S3APIClient.
func (q quiet) CompleteMultipartUpload(
	ctx context.Context, in *s3.CompleteMultipartUploadInput, options ...func(*s3.Options),
) (*s3.CompleteMultipartUploadOutput, error) {
	out, err := q.Client.CompleteMultipartUpload(ctx, in, options...)
	if err != nil {
		return nil, &unspoken{err}
	}
	return out, nil
}

// unspoken is an error for errors.As only.
type unspoken struct{ err error }

func (u *unspoken) Error() string { return "not completed" }
func (u *unspoken) Unwrap() error { return u.err }
