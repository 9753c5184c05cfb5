package storage

import (
	"context"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// Verify proves that the object at loc has want's length and checksum: by a
// HEAD, or by reading it where the server keeps no CRC32C. Other bytes are
// CodeChecksumMismatch, no object is CodeObjectMissing. ETag and VersionID are
// not compared: they are the server's names and not evidence.
func (c *Client) Verify(ctx context.Context, loc Location, want Object) error {
	if err := checkObject("verify", loc); err != nil {
		return err
	}
	client := c.s3(loc)
	if _, err := c.verify(ctx, client, loc, want); err != nil {
		return failure(ctx, "verify", loc, c.missing(ctx, client, loc, err))
	}
	return nil
}

// verify returns want with the names that the server has for it now.
func (c *Client) verify(ctx context.Context, client *s3.Client, loc Location, want Object) (Object, error) {
	bucket, key := loc.Bucket(), loc.Key()
	head, err := client.HeadObject(ctx, &s3.HeadObjectInput{
		Bucket: &bucket, Key: &key, ChecksumMode: types.ChecksumModeEnabled,
	})
	if err != nil {
		return Object{}, err
	}
	if got := aws.ToInt64(head.ContentLength); got != want.Bytes {
		return Object{}, verdictf(CodeChecksumMismatch, "the object has %d bytes, written were %d", got, want.Bytes)
	}
	checksum := checksumPrefix + aws.ToString(head.ChecksumCRC32C)
	// A composite checksum is one over the checksums of the parts.
	if head.ChecksumCRC32C == nil || head.ChecksumType == types.ChecksumTypeComposite {
		if checksum, err = c.readBack(ctx, client, loc, head.ETag); err != nil {
			return Object{}, err
		}
	}
	if checksum != want.Checksum {
		return Object{}, verdictf(CodeChecksumMismatch, "the object has %s, written was %s", checksum, want.Checksum)
	}
	want.ETag, want.VersionID = aws.ToString(head.ETag), aws.ToString(head.VersionId)
	return want, nil
}

// readBack returns the checksum of the object's bytes.
func (c *Client) readBack(ctx context.Context, client *s3.Client, loc Location, etag *string) (string, error) {
	bucket, key := loc.Bucket(), loc.Key()
	object, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key, IfMatch: etag})
	if err != nil {
		return "", err
	}
	defer object.Body.Close()
	crc := newCRC()
	if _, err := io.Copy(crc, object.Body); err != nil {
		return "", err
	}
	return checksumText(crc), nil
}
