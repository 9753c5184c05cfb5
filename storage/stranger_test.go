package storage

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"
)

// refused is what a stand-in answers instead of the real server.
type refused struct {
	status        int
	code, message string
}

// stranger is what an S3 server other than AWS makes of a request that AWS takes. None
// of them gives a checksum back, so that nothing is proven by what they ignored.
type stranger struct {
	name string
	// refuse returns nil for what the server takes.
	refuse func(r *http.Request) *refused
	// word is what an SDK with its defaults hears when it puts an object over https.
	word string
	// costs is how many requests the first upload loses to refusals; where it is parts that
	// are refused, and not their beginning, some are under way already.
	costs int32
	parts bool
	// forgetsParts is a server that wants to be told of its parts what it didn't tell.
	forgetsParts bool
	// http is a server without TLS.
	http bool
}

// streaming reports whether a body is aws-chunked.
func streaming(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("X-Amz-Content-Sha256"), "STREAMING-")
}

// checksumHeader returns a header about checksums, or as new as they are, "" when the request has none.
func checksumHeader(r *http.Request) string {
	for name := range r.Header {
		if name = strings.ToLower(name); strings.HasPrefix(name, "x-amz-checksum-") ||
			name == "x-amz-sdk-checksum-algorithm" || name == "x-amz-trailer" || name == "x-amz-mp-object-size" {
			return name
		}
	}
	return ""
}

// The words and statuses are those that users of these servers reported.
var strangers = []stranger{
	{
		// Google's front end appends to Accept-Encoding before the signature is looked at,
		// and its storage knows no trailers.
		name: "Google", word: "SignatureDoesNotMatch", costs: 0,
		refuse: func(r *http.Request) *refused {
			_, signed, _ := strings.Cut(r.Header.Get("Authorization"), "SignedHeaders=")
			signed, _, _ = strings.Cut(signed, ",")
			if strings.Contains(";"+signed+";", ";accept-encoding;") || streaming(r) {
				return &refused{http.StatusForbidden, "SignatureDoesNotMatch", "Access denied."}
			}
			return nil
		},
	},
	{
		name: "B2", word: "InvalidArgument", costs: 1,
		refuse: func(r *http.Request) *refused {
			if name := checksumHeader(r); name != "" {
				return &refused{http.StatusBadRequest, "InvalidArgument", "Unsupported header '" + name + "' received for this API call."}
			}
			return nil
		},
	},
	{
		name: "Ceph", word: "XAmzContentSHA256Mismatch", costs: 0,
		refuse: func(r *http.Request) *refused {
			if streaming(r) {
				return &refused{http.StatusBadRequest, "XAmzContentSHA256Mismatch", "UnknownError"}
			}
			return nil
		},
	},
	{
		name: "R2", word: "NotImplemented", costs: 1,
		refuse: func(r *http.Request) *refused {
			if streaming(r) {
				return &refused{http.StatusNotImplemented, "NotImplemented", r.Header.Get("X-Amz-Content-Sha256") + " not implemented"}
			}
			if name := checksumHeader(r); name != "" && name != "x-amz-checksum-mode" {
				return &refused{http.StatusNotImplemented, "NotImplemented", "Header '" + name + "' with value '" + r.Header.Get(name) + "' not implemented"}
			}
			return nil
		},
	},
	{
		name: "MinIO of 2023", word: "XAmzContentSHA256Mismatch", costs: 0,
		refuse: func(r *http.Request) *refused {
			if streaming(r) {
				return &refused{http.StatusBadRequest, "XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match what was computed."}
			}
			return nil
		},
	},
	{
		name: "signed bodies only", word: "XAmzContentSHA256Mismatch", costs: 2, parts: true,
		refuse: func(r *http.Request) *refused {
			if sum := r.Header.Get("X-Amz-Content-Sha256"); len(sum) != hex.EncodedLen(sha256.Size) {
				return &refused{http.StatusBadRequest, "XAmzContentSHA256Mismatch", "invalid header: x-amz-content-sha256"}
			}
			return nil
		},
	},
	{
		// Something before the server changes bodies.
		name: "unsigned bodies only", word: "XAmzContentSHA256Mismatch", costs: 2, parts: true, http: true,
		refuse: func(r *http.Request) *refused {
			if r.Method == http.MethodPut && r.Header.Get("X-Amz-Content-Sha256") != "UNSIGNED-PAYLOAD" {
				return &refused{http.StatusBadRequest, "XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match what was computed."}
			}
			return nil
		},
	},
}

// seen counts what came to a stand-in.
type seen struct{ refused, read, all atomic.Int32 }

// before puts the stand-in before the real server, over https.
func (s *stranger) before(t *testing.T, b *bundle, config *Config) (*Client, *seen) {
	t.Helper()
	count := &seen{}
	front := b.frontTLS
	if s.http {
		front = b.frontTo
	}
	client := front(t, config, func(w http.ResponseWriter, r *http.Request, passTo func(http.ResponseWriter)) {
		count.all.Add(1)
		if no := s.refuse(r); no != nil {
			count.refused.Add(1)
			no.write(w, r)
			return
		}
		if r.Method == http.MethodGet && r.URL.Query().Get("x-id") == "GetObject" {
			count.read.Add(1)
		}
		// The real server behind it wants the checksums of parts told again.
		if r.URL.Query().Has("partNumber") && !s.forgetsParts {
			passTo(w)
			return
		}
		passTo(&forgetful{ResponseWriter: w})
	})
	return client, count
}

func (no *refused) write(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Expect") == "" {
		_, _ = io.Copy(io.Discard, r.Body)
	}
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(no.status)
	if r.Method != http.MethodHead {
		_, _ = fmt.Fprintf(w, "<Error><Code>%s</Code><Message>%s</Message></Error>", no.code, no.message)
	}
}

// forgetful keeps what a server knows of checksums to itself.
type forgetful struct {
	http.ResponseWriter
	begun bool
	// composite is what it gives instead, of a kind that it may name.
	composite, kind string
}

func (f *forgetful) WriteHeader(status int) {
	for name := range f.Header() {
		if strings.HasPrefix(name, "X-Amz-Checksum-") {
			f.Header().Del(name)
		}
	}
	f.begun = true
	if f.composite != "" {
		f.Header().Set("X-Amz-Checksum-Crc32c", f.composite)
		if f.kind != "" {
			f.Header().Set("X-Amz-Checksum-Type", f.kind)
		}
	}
	f.ResponseWriter.WriteHeader(status)
}

func (f *forgetful) Write(b []byte) (int, error) {
	if !f.begun {
		f.WriteHeader(http.StatusOK)
	}
	return f.ResponseWriter.Write(b)
}

// ordinary is the SDK as it comes, on the same way as client.
func (b *bundle) ordinary(client *Client) *s3.Client {
	return s3.New(s3.Options{
		Region: awsRegion, BaseEndpoint: &client.config.Endpoint, UsePathStyle: true, HTTPClient: client.own,
		Credentials: credentials.NewStaticCredentialsProvider(b.access, b.secret, ""), RetryMaxAttempts: 1,
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenSupported, // config.LoadDefaultConfig's
	})
}

// The stand-ins refuse what their originals refuse: the SDK with its defaults.
func TestStrangersRefuse(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, s := range strangers {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			client, _ := s.before(t, b, &Config{})
			_, err := b.ordinary(client).PutObject(t.Context(), &s3.PutObjectInput{
				Bucket: &b.bucket, Key: aws.String("a"), Body: bytes.NewReader([]byte("abc")),
			})
			require.Equal(t, s.word, apiCode(err), "%v", err)
		})
	}
}

// All that is done to S3 works with each of them, nothing is set, and a refusal costs
// one request once.
func TestStrangers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, s := range strangers {
		for _, size := range []int{0, 10, partBytes + 1} {
			t.Run(s.name+"/"+strconv.Itoa(size), func(t *testing.T) {
				t.Parallel()
				client, count := s.before(t, b, &Config{})
				path, content := b.file(t, size)
				loc := b.at(t, t.Name())
				object, err := client.Upload(t.Context(), loc, path, UploadOptions{})
				require.NoError(t, err)
				require.NoError(t, b.client.Verify(t.Context(), loc, object), "the real server holds it")
				need := map[int]int32{0: 2, 10: 3, partBytes + 1: 6}[size] // with a HEAD, and a GET if there is what to read
				if !s.parts || size < partBytes {
					require.LessOrEqual(t, count.refused.Load(), s.costs)
					require.Equal(t, need+count.refused.Load(), count.all.Load())
				}
				if size > 0 {
					require.EqualValues(t, 1, count.read.Load(), "proven by reading it")
				}

				count.refused.Store(0)
				_, err = client.Upload(t.Context(), loc, path, UploadOptions{})
				require.NoError(t, err)
				require.Zero(t, count.refused.Load(), "what a server refuses is remembered")

				target := b.target()
				_, err = client.Fetch(t.Context(), loc, target, FetchOptions{})
				require.NoError(t, err)
				requireSame(t, target, content)
				require.NoError(t, client.TryWrite(t.Context(), loc.Folder(), loc))
				_, err = client.AbortUploads(t.Context(), loc)
				require.NoError(t, err)

				// A daemon that has just begun knows nothing of the server.
				client.lessons = newLessons()
				require.NoError(t, client.Verify(t.Context(), loc, object))
				requireCode(t, client.Verify(t.Context(), loc, Object{Bytes: object.Bytes, Checksum: "crc32c:x"}), CodeChecksumMismatch)
				require.NoError(t, client.Delete(t.Context(), loc))
				requireCode(t, client.Verify(t.Context(), loc, object), CodeObjectMissing)
			})
		}
	}
	require.NotEmpty(t, strangers)
}

// Uploads that begin together find out each for itself and agree.
func TestStrangerMetByMany(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const many = 8
	s := strangers[1]
	client, count := s.before(t, b, &Config{})
	path, _ := b.file(t, 10)
	var group sync.WaitGroup
	errs := make([]error, many)
	for i := range many {
		group.Go(func() {
			_, errs[i] = client.Upload(b.ctx, b.at(t, strconv.Itoa(i)), path, UploadOptions{})
		})
	}
	group.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
	require.LessOrEqual(t, count.refused.Load(), int32(many))
	require.Equal(t, formPlain, client.lessons.form(client.config.Endpoint))
}

// A server that keeps checksums is asked for them, and nothing is read back.
func TestChecksumsOverTLS(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var chunked, read atomic.Int32
	client := b.frontTLS(t, &Config{}, func(w http.ResponseWriter, r *http.Request, passTo func(http.ResponseWriter)) {
		if streaming(r) {
			chunked.Add(1)
		}
		if r.Method == http.MethodGet {
			read.Add(1)
		}
		passTo(w)
	})
	for _, size := range []int{0, 10, 2*partBytes + 1} {
		path, _ := b.file(t, size)
		loc := b.at(t, strconv.Itoa(size))
		object, err := client.Upload(b.ctx, loc, path, UploadOptions{})
		require.NoError(t, err)
		key := loc.Key()
		head, err := b.sdk.HeadObject(b.ctx, &s3.HeadObjectInput{Bucket: &b.bucket, Key: &key, ChecksumMode: "ENABLED"})
		require.NoError(t, err)
		require.Equal(t, object.Checksum, checksumPrefix+*head.ChecksumCRC32C, "the server computed the same")
	}
	require.Zero(t, chunked.Load())
	require.Zero(t, read.Load())
}

// What no form helps against is final, whatever the status.
func TestStrangerRefusesForGood(t *testing.T) {
	t.Parallel()
	b := setup(t)
	small, _ := b.file(t, 10)
	large, _ := b.file(t, partBytes)
	for _, test := range []struct {
		no    refused
		code  Code
		forms int32
	}{
		{refused{http.StatusNotImplemented, "NotImplemented", "x"}, CodeS3Refused, 3},
		{refused{http.StatusBadRequest, "XAmzContentSHA256Mismatch", "x"}, CodeS3Refused, 3},
		{refused{http.StatusBadRequest, "InvalidArgument", "x"}, CodeS3Refused, 3},
		{refused{http.StatusForbidden, "SignatureDoesNotMatch", "x"}, CodeCredentialsRefused, 3},
		{refused{http.StatusForbidden, "AccessDenied", "x"}, CodeCredentialsRefused, 1},
		{refused{http.StatusBadRequest, "BadDigest", "x"}, CodeChecksumMismatch, 1},
		{refused{http.StatusBadRequest, "KeyTooLongError", "x"}, CodeKeyTooLong, 1},
		{refused{http.StatusServiceUnavailable, "SlowDown", "x"}, CodeS3Unavailable, 1},
		{refused{http.StatusConflict, "OperationAborted", "x"}, CodeS3Unavailable, 1},
	} {
		for _, path := range []string{small, large} {
			t.Run(test.no.code, func(t *testing.T) {
				t.Parallel()
				s := stranger{refuse: func(r *http.Request) *refused {
					if r.Method == http.MethodPut || r.Method == http.MethodPost {
						return &test.no
					}
					return nil
				}}
				client, count := s.before(t, b, &Config{MaxAttempts: 1})
				_, err := client.Upload(t.Context(), b.at(t, "a"), path, UploadOptions{})
				requireCode(t, err, test.code)
				require.Equal(t, test.forms, count.all.Load())
				require.Equal(t, formChecksum, client.lessons.form(client.config.Endpoint), "nothing was learned")
				require.ErrorContains(t, client.TryWrite(t.Context(), b.at(t, "")), string(test.code))
			})
		}
	}
}

// A server may take an upload's beginning and refuse its parts, or its end.
func TestStrangerRefusesLater(t *testing.T) {
	t.Parallel()
	for _, s := range []stranger{
		{name: "parts", refuse: func(r *http.Request) *refused {
			if r.URL.Query().Has("partNumber") && checksumHeader(r) != "" {
				return &refused{http.StatusBadRequest, "InvalidArgument", "x"}
			}
			return nil
		}},
		{name: "completion", forgetsParts: true, refuse: func(*http.Request) *refused { return nil }},
	} {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			var told int64
			client, _ := s.before(t, b, &Config{})
			path, _ := b.file(t, 3*partBytes)
			loc := b.at(t, "a")
			object, err := client.Upload(b.ctx, loc, path, UploadOptions{OnProgress: func(done, total int64) {
				if done <= told || total != 3*partBytes {
					panic("progress goes backwards")
				}
				told = done
			}})
			require.NoError(t, err)
			require.EqualValues(t, 3*partBytes, told)
			require.Equal(t, formPlain, client.lessons.form(client.config.Endpoint))
			require.NoError(t, b.client.Verify(b.ctx, loc, object))
			require.Zero(t, b.uploads(t), "the refused one is gone")
		})
	}
}

// A checksum over the checksums of parts is none of the object, said so or not.
func TestCompositeChecksum(t *testing.T) {
	t.Parallel()
	b := setup(t)
	path, _ := b.file(t, partBytes+1)
	for _, kind := range []string{"", "COMPOSITE"} {
		var read atomic.Int32
		client := b.frontTLS(t, &Config{}, func(w http.ResponseWriter, r *http.Request, passTo func(http.ResponseWriter)) {
			if r.Method == http.MethodGet {
				read.Add(1)
			}
			if r.Method == http.MethodHead {
				w = &forgetful{ResponseWriter: w, composite: "AAAAAA==-2", kind: kind}
			}
			passTo(w)
		})
		object, err := client.Upload(b.ctx, b.at(t, "a"), path, UploadOptions{})
		require.NoError(t, err)
		require.NoError(t, b.client.Verify(b.ctx, b.at(t, "a"), object))
		require.EqualValues(t, 1, read.Load(), "proven by reading it")
	}
}

// Reading back goes on where the answer ended, and not without end.
func TestReadBackBreaks(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const size = mib
	path, _ := b.file(t, size)
	for name, test := range map[string]struct {
		piece    int
		politely bool // the answer just ends, and tells no length
		reads    int32
		code     Code
	}{
		"breaks":                {size / 4, false, 4, ""},
		"ends early":            {size / 4, true, 4, ""},
		"breaks at once":        {0, false, 3, CodeS3Unavailable},
		"ends before it begins": {0, true, 3, CodeS3Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var reads atomic.Int32
			client := b.frontTLS(t, &Config{MaxAttempts: 3}, func(w http.ResponseWriter, r *http.Request, passTo func(http.ResponseWriter)) {
				if r.Method != http.MethodGet {
					passTo(&forgetful{ResponseWriter: w})
					return
				}
				reads.Add(1)
				whole := httptest.NewRecorder()
				passTo(whole)
				for name := range whole.Header() {
					w.Header().Set(name, whole.Header().Get(name))
				}
				if test.politely {
					w.Header().Del("Content-Length")
				}
				w.WriteHeader(whole.Code)
				_, _ = w.Write(whole.Body.Bytes()[:min(test.piece, whole.Body.Len())])
				_ = http.NewResponseController(w).Flush()
				if !test.politely && test.piece < whole.Body.Len() {
					panic(http.ErrAbortHandler)
				}
			})
			object, err := client.Upload(t.Context(), b.at(t, name), path, UploadOptions{})
			require.Equal(t, test.reads, reads.Load())
			if test.code != "" {
				requireCode(t, err, test.code)
				return
			}
			require.NoError(t, err)
			require.NoError(t, b.client.Verify(t.Context(), b.at(t, name), object))
		})
	}
}
