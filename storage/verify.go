package storage

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// Verify proves that the object at loc has want's length and checksum: by a
// HEAD, or by reading it where the server keeps no CRC32C. Other bytes are
// CodeChecksumMismatch, no object is CodeObjectMissing. ETag and VersionID are
// not compared: they are the server's names and not evidence.
func (c *Client) Verify(ctx context.Context, loc Location, want Object) (err error) {
	defer func() { c.done("verify", 0, err) }()
	if err := checkObject("verify", loc); err != nil {
		return err
	}
	err = c.serve(loc, func(s *server) error {
		_, err := c.verify(ctx, s, loc.Key(), want)
		if err != nil {
			return s.ask(ctx, loc.Key(), err)
		}
		return nil
	})
	if err != nil {
		return failure(ctx, "verify", loc, err)
	}
	return nil
}

// verify returns want with the names that the server has for it now.
func (c *Client) verify(ctx context.Context, s *server, key string, want Object) (Object, error) {
	head, err := s.head(ctx, key)
	if err != nil {
		return Object{}, err
	}
	if got := aws.ToInt64(head.ContentLength); got != want.Bytes {
		return Object{}, codedf(CodeChecksumMismatch, "the object has %d bytes, written were %d", got, want.Bytes)
	}
	checksum := checksumPrefix + aws.ToString(head.ChecksumCRC32C)
	// A composite checksum is one over the checksums of the parts. Servers that know no
	// other, such as MinIO of 2024, do not say so but by its end, "-2" for two parts.
	if head.ChecksumCRC32C == nil || head.ChecksumType == types.ChecksumTypeComposite || strings.Contains(checksum, "-") {
		if checksum, err = c.readBack(ctx, s, key, head.ETag, want.Bytes); err != nil {
			return Object{}, err
		}
	}
	if checksum != want.Checksum {
		return Object{}, codedf(CodeChecksumMismatch, "the object has %s, written was %s", checksum, want.Checksum)
	}
	want.ETag, want.VersionID = aws.ToString(head.ETag), aws.ToString(head.VersionId)
	return want, nil
}

// head asks for an object's length, and for its checksum where the server may know it:
// B2 refuses a request that names one.
func (s *server) head(ctx context.Context, key string) (*s3.HeadObjectOutput, error) {
	input := &s3.HeadObjectInput{Bucket: &s.bucket, Key: &key}
	if s.form == formChecksum {
		input.ChecksumMode = types.ChecksumModeEnabled
	}
	head, err := s.HeadObject(ctx, input)
	if status := httpStatus(err); input.ChecksumMode != "" && (status == http.StatusBadRequest || status == http.StatusNotImplemented) {
		input.ChecksumMode = ""
		return s.HeadObject(ctx, input)
	}
	return head, err
}

// readBack returns the checksum of the object's bytes. Where a connection breaks it goes
// on from there.
func (c *Client) readBack(ctx context.Context, s *server, key string, etag *string, size int64) (string, error) {
	crc, read := newCRC(), int64(0)
	for inVain := 0; read < size; {
		n, err := s.readFrom(ctx, key, etag, read, crc)
		read += n
		if n > 0 {
			inVain = 0
		}
		if err == nil && read < size {
			err = &lostBody{io.ErrUnexpectedEOF}
		}
		if err == nil {
			break
		}
		inVain++
		if _, lost := errors.AsType[*lostBody](err); !lost || ctx.Err() != nil || inVain >= c.config.MaxAttempts {
			return "", err
		}
	}
	return checksumText(crc), nil
}

// readFrom sums up the object from an offset on.
func (s *server) readFrom(ctx context.Context, key string, etag *string, offset int64, crc hash.Hash32) (int64, error) {
	input := &s3.GetObjectInput{Bucket: &s.bucket, Key: &key, IfMatch: etag}
	if offset > 0 {
		input.Range = aws.String(fmt.Sprintf("bytes=%d-", offset))
	}
	object, err := s.GetObject(ctx, input)
	if err != nil {
		return 0, err
	}
	defer object.Body.Close()
	if offset > 0 {
		first, _, _, err := contentRange(aws.ToString(object.ContentRange))
		if err != nil || first != offset {
			return 0, codedf(CodeUploadUnverified, "the server sent another range than was asked for")
		}
	}
	n, err := io.Copy(crc, object.Body)
	if err != nil {
		return n, &lostBody{err}
	}
	return n, nil
}

// lostBody is an answer that broke off.
type lostBody struct{ err error }

func (l *lostBody) Error() string { return "the answer broke off: " + l.err.Error() }
func (l *lostBody) Unwrap() error { return l.err }
