package storage

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager/types"
)

// UploadOptions say how a file is stored. The zero value is fine.
type UploadOptions struct {
	// ContentType is the object's media type; "" leaves it to the server.
	ContentType string
	// OnProgress is called after each part, one call at a time and with done
	// growing. It must not block.
	OnProgress func(done, total int64)
	// Wanted is asked once the file is read to its end, before there is an object, and may
	// block; an answer other than nil ends the upload, and is its error as it is. Where the
	// upload has to begin anew it is asked again. nil: it is wanted.
	Wanted func(ctx context.Context) error
	// Over is what the object may replace, as Look saw it: where something else lies there by
	// now, nothing is written, and the error is ErrOvertaken. The zero value, and any on a
	// server that knows no conditions, replaces whatever lies there.
	Over Present
	// By stays with the object, for Look: who wrote it.
	By string
}

// Object is what an upload left in S3; Verify can check it at any time.
type Object struct {
	// Bytes is its length.
	Bytes int64
	// ETag is the server's name for it. It tells nothing about the bytes.
	ETag string
	// Checksum is over all bytes, computed here while they were read:
	// "crc32c:" and base64, as x-amz-checksum-crc32c has it.
	Checksum string
	// VersionID is set when the bucket keeps versions.
	VersionID string
}

// Upload stores the file path as the object at loc, in parallel parts when it
// is large, and returns only when Verify proved it. An object that was there
// is replaced, so that an upload can be repeated. Refused connections,
// throttling and 5xx are retried within Config's bounds.
//
// When it fails or ctx ends, a half upload is aborted, within 15 s and also
// after ctx ended. CodeUploadUnverified means that S3 took everything but
// doesn't show it.
func (c *Client) Upload(ctx context.Context, loc Location, path string, opt UploadOptions) (object Object, err error) {
	var unwanted error
	defer func() {
		if unwanted == nil {
			c.done("upload", object.Bytes, err)
		}
	}()
	if err := checkObject("upload", loc); err != nil {
		return Object{}, err
	}
	sent := &progress{tell: opt.OnProgress}
	atEnd := func() error {
		if opt.Wanted != nil {
			unwanted = opt.Wanted(ctx)
		}
		return unwanted
	}
	err = c.serve(loc, func(s *server) (err error) {
		object, err = c.replace(ctx, s, loc, path, &opt, sent, atEnd)
		return err
	})
	switch {
	case unwanted != nil:
		return Object{}, unwanted
	case errors.Is(err, ErrOvertaken):
		return Object{}, fmt.Errorf("upload %s: %w", loc, err)
	case err != nil:
		return Object{}, failure(ctx, "upload", loc, err)
	}
	return object, nil
}

func (c *Client) upload(ctx context.Context, s *server, loc Location, path string, opt *UploadOptions, sent *progress, atEnd func() error) (Object, error) {
	file, err := os.Open(path)
	if err != nil {
		return Object{}, spoolFailure(path, err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return Object{}, spoolFailure(path, err)
	}
	if !info.Mode().IsRegular() {
		return Object{}, codedf(CodeSpoolFailed, "file %s is no regular file", path)
	}
	size, key := info.Size(), loc.Key()
	sent.total = size
	body := &reader{path: path, file: file, left: size, crc: newCRC(), atEnd: atEnd}
	input := &transfermanager.UploadObjectInput{Bucket: &s.bucket, Key: &key, Body: body, ContentLength: &size}
	if opt.ContentType != "" {
		input.ContentType = &opt.ContentType
	}
	if opt.By != "" {
		input.Metadata = map[string]string{byKey: opt.By}
	}
	switch {
	case !opt.Over.known:
	case opt.Over.etag == "":
		input.IfNoneMatch = aws.String("*")
	default:
		input.IfMatch = &opt.Over.etag
	}
	if s.form == formChecksum {
		input.ChecksumAlgorithm = types.ChecksumAlgorithmCrc32c
		input.ChecksumType = types.ChecksumTypeFullObject
	}
	out, err := c.transfer(s, sent).UploadObject(ctx, input)
	object := Object{Bytes: size, Checksum: checksumText(body.crc)}
	switch {
	case err == nil:
		object.ETag, object.VersionID = aws.ToString(out.ETag), aws.ToString(out.VersionID)
	// The answer to a completion was lost and its retry found no upload, or the object itself
	// in the way; that tells whether the first one came through.
	case apiCode(err) != codeNoSuchUpload && (!opt.Over.known || !overtaken(err)):
		return Object{}, err
	}
	verified, verifyErr := c.verify(ctx, s, key, object)
	if verifyErr == nil {
		return verified, nil
	}
	if err != nil {
		return Object{}, err
	}
	return Object{}, unverified(loc, verifyErr)
}

// unverified turns a failed check into what is said of the upload. Wrong bytes, what
// can pass and what is refused for good keep their own code.
func unverified(loc Location, err error) error {
	if known, ok := errors.AsType[*coded](err); ok && known.code == CodeChecksumMismatch {
		return err
	}
	code, cause := classify(loc, err)
	switch code {
	case CodeS3Unavailable:
		return err
	case CodeCredentialsRefused, CodeBucketMissing, CodeS3Refused:
		return codedf(code, "stored, but reading it back was refused: %w", cause)
	default:
		return codedf(CodeUploadUnverified, "stored, but reading it back failed: %w", cause)
	}
}

// reader reads a local file once, from start to end, and sums it up. It fails
// when the file is not as long as it was.
type reader struct {
	path string
	file *os.File
	left int64
	crc  hash.Hash32
	// atEnd is asked before the end is told: the transfer manager reads a part to its end
	// before it sends it, so that no connection waits for the answer.
	atEnd func() error
}

func (r *reader) Read(b []byte) (int, error) {
	n, err := r.file.Read(b)
	r.left -= int64(n)
	r.crc.Write(b[:n])
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return n, spoolFailure(r.path, err)
	case r.left < 0, err != nil && r.left > 0:
		return n, codedf(CodeSpoolFailed, "file %s changed while it was uploaded", r.path)
	case err != nil: // the end
		if err := r.atEnd(); err != nil {
			return n, err
		}
	}
	return n, err
}

// checksumPrefix names the algorithm: S3 can compute it over a whole object
// that came in parts, and the transfer manager hands it on for each part
// (v0.5.4 drops the CRC64NVME of parts).
const checksumPrefix = "crc32c:"

func newCRC() hash.Hash32 { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) }

func checksumText(crc hash.Hash32) string {
	return checksumPrefix + base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc.Sum32()))
}
