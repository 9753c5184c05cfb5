package storage

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager/types"
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

// transfer returns a transfer manager for a server.
func (c *Client) transfer(s *server, p *progress) *transfermanager.Client {
	return transfermanager.New(sender{s.Client, s.form}, func(o *transfermanager.Options) {
		o.PartSizeBytes = partBytes
		o.MultipartUploadThreshold = partBytes
		o.Concurrency = partConcurrency
		o.GetObjectType = types.GetObjectRanges
		o.PartBodyMaxRetries = c.config.MaxAttempts
		// A range carries no checksum of its own; length and ETag are checked.
		o.DisableChecksumValidation = true
		o.FailTimeout = abortTimeout
		if s.form != formChecksum {
			o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		}
		o.ObjectProgressListeners.Register(p)
	})
}
