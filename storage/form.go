package storage

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// form is how bodies are sent to a server. None is aws-chunked with a trailer, which the
// SDK would choose over TLS and which Google, B2, R2 and older Ceph and MinIO refuse: a
// part is in memory, so that its checksum can go ahead of it in a header.
type form int32

// The forms, the most telling one first. A server that refuses one is asked in the next.
const (
	// formChecksum sends the CRC32C, which the server compares and keeps. The SHA256 of a
	// body is signed over http; under TLS, which guards it as well, it is not computed.
	formChecksum form = iota
	// formPlain sends no CRC32C, as S3 had it before 2022.
	formPlain
	// formOtherHash is formPlain with the SHA256 signed under TLS, and not over http.
	formOtherHash
)

// refusesForm reports whether err may be a server's word on the form of an upload rather
// than on its content. In doubt it is: asking in the next form costs one request.
func refusesForm(err error) bool {
	switch apiCode(err) {
	case "BadDigest", "XAmzContentChecksumMismatch", "RequestTimeout", "SlowDown", "Throttling", "ThrottlingException",
		"ExpiredToken", "InvalidToken", "AuthorizationHeaderMalformed", "EntityTooLarge", "EntityTooSmall",
		"InvalidBucketName", "KeyTooLongError", "KeyTooLong", "RequestTimeTooSkewed":
		return false
	case "SignatureDoesNotMatch": // of what a proxy or the server took away from the headers
		return true
	}
	switch httpStatus(err) {
	case http.StatusBadRequest, http.StatusLengthRequired, http.StatusUnsupportedMediaType, http.StatusNotImplemented:
		return true
	}
	return false
}

// refusal is an error that refusesForm, of a request that has a form.
type refusal struct{ err error }

func (r *refusal) Error() string { return r.err.Error() }
func (r *refusal) Unwrap() error { return r.err }

func marked(err error) error {
	if err != nil && refusesForm(err) {
		return &refusal{err}
	}
	return err
}

// sender is the SDK's client for uploads in a form.
type sender struct {
	*s3.Client
	form form
}

var _ transfermanager.S3APIClient = sender{}

// PutObject implements transfermanager.S3APIClient.
func (s sender) PutObject(
	ctx context.Context, in *s3.PutObjectInput, options ...func(*s3.Options),
) (*s3.PutObjectOutput, error) {
	if err := s.checksum(in.Body, &in.ChecksumCRC32C, &in.ChecksumAlgorithm); err != nil {
		return nil, err
	}
	out, err := s.Client.PutObject(ctx, in, append(options, s.hash)...)
	return out, marked(err)
}

// GetObject implements transfermanager.S3APIClient. A range of another version than was
// asked for is refused here where the server does not: not all of them know If-Match.
func (s sender) GetObject(
	ctx context.Context, in *s3.GetObjectInput, options ...func(*s3.Options),
) (*s3.GetObjectOutput, error) {
	out, err := s.Client.GetObject(ctx, in, options...)
	if err == nil && in.IfMatch != nil && out.ETag != nil && *out.ETag != *in.IfMatch {
		_ = out.Body.Close() // nothing of it is wanted
		return nil, codedf(CodeSourceChanged, "a later answer is of another version than the first")
	}
	return out, err
}

// CreateMultipartUpload implements transfermanager.S3APIClient.
func (s sender) CreateMultipartUpload(
	ctx context.Context, in *s3.CreateMultipartUploadInput, options ...func(*s3.Options),
) (*s3.CreateMultipartUploadOutput, error) {
	out, err := s.Client.CreateMultipartUpload(ctx, in, options...)
	return out, marked(err)
}

// UploadPart implements transfermanager.S3APIClient.
func (s sender) UploadPart(
	ctx context.Context, in *s3.UploadPartInput, options ...func(*s3.Options),
) (*s3.UploadPartOutput, error) {
	if err := s.checksum(in.Body, &in.ChecksumCRC32C, &in.ChecksumAlgorithm); err != nil {
		return nil, err
	}
	out, err := s.Client.UploadPart(ctx, in, append(options, s.hash)...)
	return out, marked(err)
}

// CompleteMultipartUpload implements transfermanager.S3APIClient.
func (s sender) CompleteMultipartUpload(
	ctx context.Context, in *s3.CompleteMultipartUploadInput, options ...func(*s3.Options),
) (*s3.CompleteMultipartUploadOutput, error) {
	if s.form != formChecksum {
		in.MpuObjectSize = nil // a header as new as the checksums
	}
	out, err := s.Client.CompleteMultipartUpload(ctx, in, options...)
	if err != nil {
		return nil, &unspoken{marked(err)}
	}
	return out, nil
}

// checksum computes the header of a body, so that the SDK makes no trailer of it.
func (s sender) checksum(body io.Reader, header **string, algorithm *types.ChecksumAlgorithm) error {
	if s.form != formChecksum {
		return nil
	}
	crc := newCRC()
	if seeker, ok := body.(io.ReadSeeker); ok {
		if _, err := io.Copy(crc, seeker); err != nil {
			return fmt.Errorf("sum up a part: %w", err)
		}
		if _, err := seeker.Seek(0, io.SeekStart); err != nil {
			return fmt.Errorf("sum up a part: %w", err)
		}
	} else if body != nil {
		return fmt.Errorf("sum up a part: %T can't be read twice", body)
	}
	*header = aws.String(base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc.Sum32())))
	*algorithm = types.ChecksumAlgorithmCrc32c
	return nil
}

func (s sender) hash(o *s3.Options) {
	if s.form == formOtherHash {
		o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
			_, err := stack.Finalize.Swap(otherHash{}.ID(), otherHash{})
			return err
		})
	}
}

// otherHash chooses the hash that the SDK wouldn't.
type otherHash struct{}

// ID is that of what it replaces.
func (otherHash) ID() string { return (&v4.ComputePayloadSHA256{}).ID() }

// HandleFinalize implements middleware.FinalizeMiddleware.
func (otherHash) HandleFinalize(
	ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler,
) (middleware.FinalizeOutput, middleware.Metadata, error) {
	if request, ok := in.Request.(*smithyhttp.Request); ok && request.IsHTTPS() {
		return (&v4.ComputePayloadSHA256{}).HandleFinalize(ctx, in, next)
	}
	return (&v4.UnsignedPayload{}).HandleFinalize(ctx, in, next)
}

// unspoken is an error for errors.As only: the transfer manager writes the failure of a
// completion, and with it a server's words, with package log.
type unspoken struct{ err error }

func (u *unspoken) Error() string { return "not completed" }
func (u *unspoken) Unwrap() error { return u.err }
