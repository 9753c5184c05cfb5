package storage

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"

	"github.com/aws/smithy-go"

	"weir/storage/dial"
)

// Code names what went wrong, for the failure table and for Studio. The values
// are stable: they are stored in rows.
type Code string

// The codes. "s3" codes are about an S3 server, "source" codes about what is
// to be fetched, "spool" codes about this host's disk.
const (
	// CodeCredentialsRefused: wrong key, wrong secret, or a key that lacks the right (401, 403).
	CodeCredentialsRefused Code = "s3_credentials_refused"
	// CodeBucketMissing: the server knows no such bucket.
	CodeBucketMissing Code = "s3_bucket_missing"
	// CodeObjectMissing: no such object, or it vanished while it was read (404, 410).
	CodeObjectMissing Code = "object_missing"
	// CodeS3Unavailable: no connection, a stall, throttling or 5xx, after all retries.
	CodeS3Unavailable Code = "s3_unavailable"
	// CodeS3Refused: any other refusal by S3, for example a wrong region, or a request that the
	// server does not know in any of the forms it was sent in.
	CodeS3Refused Code = "s3_refused"
	// CodeSourceTooLarge: the source exceeds FetchOptions.MaxBytes.
	CodeSourceTooLarge Code = "source_too_large"
	// CodeSourceChanged: the source became another one while it was read.
	CodeSourceChanged Code = "source_changed"
	// CodeSourceTooSlow: the source came at less than Config.LeastRate.
	CodeSourceTooSlow Code = "source_too_slow"
	// CodeSourceUnreachable: an http(s) source with no connection, a stall or 5xx, after all retries.
	CodeSourceUnreachable Code = "source_unreachable"
	// CodeSourceRefused: an http(s) source whose server said no, for example because a presigned URL expired.
	CodeSourceRefused Code = "source_refused"
	// CodePlaylistUnreadable: a playlist that is none, or whose parts are not what it says.
	CodePlaylistUnreadable Code = "playlist_unreadable"
	// CodePlaylistLive: a playlist that is still being written.
	CodePlaylistLive Code = "playlist_live"
	// CodePlaylistUnsupported: a playlist whose parts can't be joined, or may not be fetched.
	CodePlaylistUnsupported Code = "playlist_unsupported"
	// CodeSourceEncrypted: a playlist whose segments need a key.
	CodeSourceEncrypted Code = "source_encrypted"
	// CodeSpoolFull: no space or no quota left on the spool's disk.
	CodeSpoolFull Code = "spool_full"
	// CodeSpoolReadonly: the spool may not be written.
	CodeSpoolReadonly Code = "spool_readonly"
	// CodeSpoolFailed: any other failure of a local file.
	CodeSpoolFailed Code = "spool_failed"
	// CodeChecksumMismatch: S3 holds, or received, other bytes than were sent.
	CodeChecksumMismatch Code = "checksum_mismatch"
	// CodeUploadUnverified: the upload ended well but S3 does not show the object.
	CodeUploadUnverified Code = "upload_unverified"
	// CodeKeyTooLong: an object's key is longer than S3, or this server, takes.
	CodeKeyTooLong Code = "key_too_long"
	// CodeLocationInvalid: the location can't be used for this.
	CodeLocationInvalid Code = "location_invalid"
)

// Advice returns one sentence for the person who has to mend it; "" for an
// unknown code.
func (c Code) Advice() string {
	switch c {
	case CodeCredentialsRefused:
		return "check the access key and its secret, and that it may read and write there"
	case CodeBucketMissing:
		return "create the bucket or correct its name"
	case CodeObjectMissing:
		return "check that the object exists and stays until it is read"
	case CodeS3Unavailable:
		return "retry later; check the endpoint, its load and the network"
	case CodeS3Refused:
		return "check the endpoint, the region and the bucket's policy"
	case CodeSourceTooLarge:
		return "send a smaller source or raise the limit"
	case CodeSourceChanged:
		return "retry once the source is no longer written to"
	case CodeSourceTooSlow:
		return "serve the source from where it comes faster"
	case CodeSourceUnreachable:
		return "check that the source's server can be reached from this host"
	case CodeSourceRefused:
		return "check that the URL is still valid and may be read"
	case CodePlaylistUnreadable:
		return "check the playlist, and that it is a whole one"
	case CodePlaylistLive:
		return "wait until the recording has ended"
	case CodePlaylistUnsupported:
		return "send a file, or a playlist of MPEG-TS with sound and picture together"
	case CodeSourceEncrypted:
		return "send the source without encryption"
	case CodeSpoolFull:
		return "free space on the spool's disk"
	case CodeSpoolReadonly:
		return "make the spool folder writable for the daemon"
	case CodeSpoolFailed:
		return "check the spool folder and its disk"
	case CodeChecksumMismatch:
		return "upload again; if it repeats, check the network and the S3 server"
	case CodeUploadUnverified:
		return "upload again; if it repeats, check what else writes to or removes from the bucket"
	case CodeKeyTooLong:
		return "use a shorter folder or shorter names"
	case CodeLocationInvalid:
		return "correct the location"
	default:
		return ""
	}
}

// Error is a failure of storage. Its text, and all that it wraps, shows no
// secret.
type Error struct {
	// Op is what was tried: "fetch", "upload", "verify", "delete", "abort uploads", "try to write", "look".
	Op string
	// Location is where; it prints redacted.
	Location Location
	// Code is what went wrong.
	Code Code
	// Err says more; of the errors of an SDK or a server only a safe summary
	// is kept. It wraps a syscall.Errno where there was one.
	Err error
}

// Error returns operation, location, code, cause and advice in one line.
func (e *Error) Error() string {
	text := e.Op
	if !e.Location.IsZero() {
		text += " " + e.Location.String()
	}
	text += ": " + string(e.Code)
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	if advice := e.Code.Advice(); advice != "" {
		text += " (" + advice + ")"
	}
	return text
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// failure makes the error of op on loc. It keeps an *Error as it is, returns
// the end of ctx as such, and else classifies err.
func failure(ctx context.Context, op string, loc Location, err error) error {
	if known, ok := errors.AsType[*Error](err); ok {
		return known
	}
	if ctx.Err() != nil {
		if cause := context.Cause(ctx); !errors.Is(cause, ctx.Err()) {
			return fmt.Errorf("%s %s: %w: %w", op, loc, ctx.Err(), cause)
		}
		return fmt.Errorf("%s %s: %w", op, loc, ctx.Err())
	}
	if known, ok := errors.AsType[*coded](err); ok {
		return &Error{Op: op, Location: loc, Code: known.code, Err: known.err}
	}
	code, cause := classify(loc, err)
	return &Error{Op: op, Location: loc, Code: code, Err: cause}
}

// coded is a failure whose code is already known, on its way up to the
// public method that adds operation and location.
type coded struct {
	code Code
	err  error
}

func (c *coded) Error() string { return string(c.code) + ": " + c.err.Error() }
func (c *coded) Unwrap() error { return c.err }

func codedf(code Code, format string, args ...any) error {
	return &coded{code: code, err: fmt.Errorf(format, args...)}
}

// spoolFailure classifies a failure on the local file at path.
func spoolFailure(path string, err error) error {
	code := CodeSpoolFailed
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), errors.Is(err, syscall.EFBIG):
		code = CodeSpoolFull
	case errors.Is(err, syscall.EROFS), errors.Is(err, os.ErrPermission):
		code = CodeSpoolReadonly
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return codedf(code, "file %s: %w", path, errno)
	}
	return codedf(code, "file %s: %w", path, err)
}

// codeNoSuchUpload is S3's word for a multipart upload that was completed or
// aborted already.
const codeNoSuchUpload = "NoSuchUpload"

// classify reads the typed errors of the SDK and of net/http. The texts of
// those are dropped: a url.Error holds the whole URL, and a server may repeat
// what it was sent.
func classify(loc Location, err error) (Code, error) {
	unavailable := CodeSourceUnreachable
	if loc.IsS3() {
		unavailable = CodeS3Unavailable
	}
	status, word := httpStatus(err), apiCode(err)
	if status == 0 && word == "" {
		return unavailable, network(err)
	}
	code := CodeS3Refused
	switch {
	case word == "NoSuchBucket":
		code = CodeBucketMissing
	case word == "NoSuchKey":
		code = CodeObjectMissing
	// Google says KeyTooLong.
	case word == "KeyTooLongError", word == "KeyTooLong":
		code = CodeKeyTooLong
	case word == "BadDigest", word == "XAmzContentChecksumMismatch":
		code = CodeChecksumMismatch
	// These come with 400; the last one is versitygw's, with 404.
	case word == "ExpiredToken", word == "InvalidToken", word == "XAdminUserNotFound":
		code = CodeCredentialsRefused
	// Some servers throttle with 400. An upload that is gone was ended by
	// somebody else; a new one can succeed.
	case word == "SlowDown", word == "Throttling", word == "ThrottlingException",
		word == "RequestTimeout", word == codeNoSuchUpload:
		code = unavailable
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		code = CodeCredentialsRefused
	case status == http.StatusNotFound, status == http.StatusGone:
		code = CodeObjectMissing
	// The object no longer has the ETag of its HEAD, or is shorter than it was.
	case status == http.StatusPreconditionFailed, status == http.StatusRequestedRangeNotSatisfiable:
		code = CodeSourceChanged
	// Something else changes the same place at the moment (OperationAborted of AWS,
	// ExistingObjectIsDirectory of versitygw, which removes folders that get empty).
	case status == http.StatusConflict && loc.IsS3():
		code = unavailable
	// Waiting makes no server learn it; XAmzContentSHA256Mismatch comes with 400 and is
	// also Ceph's word for it.
	case status == http.StatusNotImplemented:
	case status == http.StatusTooManyRequests, status == http.StatusRequestTimeout, status >= http.StatusInternalServerError:
		code = unavailable
	}
	if !loc.IsS3() && (code == CodeCredentialsRefused || code == CodeS3Refused) {
		code = CodeSourceRefused
	}
	if word == "" {
		return code, fmt.Errorf("status %d", status)
	}
	return code, fmt.Errorf("status %d %s", status, word)
}

// ErrHostUnknown is within an *Error (errors.Is) where trying again at once helps nothing:
// the name of the host is not known, or Config.Guard refuses its addresses.
var ErrHostUnknown = errors.New("the host name is not known")

func hostUnknown(err error) bool {
	dns, ok := errors.AsType[*net.DNSError](err)
	return ok && dns.IsNotFound
}

// network tells in our own words how a connection failed.
func network(err error) error {
	if hostUnknown(err) {
		// A refused address is one to all but operators.
		if refused, ok := errors.AsType[*dial.Refusal](err); ok {
			return fmt.Errorf("connection: %w: %w", ErrHostUnknown, refused)
		}
		return fmt.Errorf("connection: %w", ErrHostUnknown)
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return fmt.Errorf("connection: %w", errno)
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return errors.New("connection: the server's certificate is not valid")
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return errors.New("connection: nothing came in time")
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return errors.New("connection: ended early")
	}
	return errors.New("connection: failed")
}

// httpStatus returns the status of the answer that err is about, 0 when there
// was no answer.
func httpStatus(err error) int {
	response, ok := errors.AsType[interface {
		error
		HTTPStatusCode() int
	}](err)
	if !ok {
		return 0
	}
	return response.HTTPStatusCode()
}

// apiCode returns the code in an S3 error's body, "" when there is none. It
// keeps only what such a code consists of, so that a server can't put more
// than a word into our errors.
func apiCode(err error) string {
	const longest = 64 // the longest S3 error codes have about 50 letters
	api, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		return ""
	}
	word := strings.Map(func(r rune) rune {
		if isLetterOrDigit(r) {
			return r
		}
		return -1
	}, api.ErrorCode())
	return word[:min(len(word), longest)]
}

// FailureCode is for the table of failures.
func (e *Error) FailureCode() string { return string(e.Code) }

// FailureText is what everybody may read of it: what whoever made the request can mend.
// An address of ours, or what is wrong with our disk, is nobody's business.
func (e *Error) FailureText() string {
	switch e.Code {
	case CodeS3Unavailable, CodeSourceUnreachable, CodeChecksumMismatch, CodeSpoolFull, CodeSpoolReadonly, CodeSpoolFailed:
		return ""
	default:
		if e.Err == nil {
			return ""
		}
		return e.Err.Error()
	}
}

// Codes lists the codes of this package.
func Codes() []Code {
	return []Code{
		CodeCredentialsRefused, CodeBucketMissing, CodeObjectMissing, CodeS3Unavailable, CodeS3Refused,
		CodeSourceTooLarge, CodeSourceChanged, CodeSourceTooSlow, CodeSourceUnreachable, CodeSourceRefused,
		CodePlaylistUnreadable, CodePlaylistLive, CodePlaylistUnsupported, CodeSourceEncrypted, CodeSpoolFull,
		CodeSpoolReadonly, CodeSpoolFailed, CodeChecksumMismatch, CodeUploadUnverified, CodeKeyTooLong, CodeLocationInvalid,
	}
}
