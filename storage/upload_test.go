package storage

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"weir/storage/dial/dialtest"
)

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		size int
	}{
		{"1 B", 1},
		{"0 B", 0},
		{"5 MiB - 1", 5*mib - 1},
		{"one part", partBytes},
		{"40 MiB and some", 40*mib + 1},
	}
	b := setup(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			path, content := b.file(t, test.size)
			loc := b.at(t, "out").Join(test.name, "a+b &.mp4")
			var told, total int64
			object, err := b.client.Upload(t.Context(), loc, path, UploadOptions{
				ContentType: "video/mp4",
				OnProgress:  func(done, of int64) { told, total = done, of },
			})
			require.NoError(t, err)
			require.EqualValues(t, test.size, object.Bytes)
			require.NotEmpty(t, object.ETag)
			require.Equal(t, int64(test.size), told)
			require.True(t, total == int64(test.size) || told == 0)
			require.NoError(t, b.client.Verify(t.Context(), loc, object))

			key := loc.Key()
			head, err := b.sdk.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &b.bucket, Key: &key, ChecksumMode: "ENABLED"})
			require.NoError(t, err)
			require.Equal(t, "video/mp4", *head.ContentType)
			require.Equal(t, object.Checksum, checksumPrefix+*head.ChecksumCRC32C, "the server computed the same")

			target := filepath.Join(t.TempDir(), "target")
			told = 0
			fetched, err := b.client.Fetch(t.Context(), loc, target, FetchOptions{
				MaxBytes:   int64(test.size),
				OnProgress: func(done, of int64) { told, total = done, of },
			})
			require.NoError(t, err)
			require.EqualValues(t, test.size, fetched.Bytes)
			require.Equal(t, object.ETag, fetched.ETag)
			require.Equal(t, int64(test.size), told)
			requireSame(t, target, content)
			require.NoFileExists(t, target+partialSuffix)

			require.NoError(t, b.client.Delete(t.Context(), loc))
			require.NoError(t, b.client.Delete(t.Context(), loc), "idempotent")
			requireCode(t, b.client.Verify(t.Context(), loc, object), CodeObjectMissing)
		})
	}
}

// An upload that is not wanted any more leaves no object and no parts; it is asked once all
// parts but the last are there.
func TestUploadWanted(t *testing.T) {
	t.Parallel()
	for name, size := range map[string]int{"a part": mib, "parts": 2*partBytes + mib, "parts, to the byte": 2 * partBytes} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			path, _ := b.file(t, size)
			loc := b.at(t, "wanted")
			parts := make(chan struct{}, size/partBytes+1)
			client := b.front(t, &Config{}, func(_ http.ResponseWriter, r *http.Request, pass func()) {
				pass()
				if r.Method == http.MethodPut && r.URL.Query().Has("partNumber") {
					parts <- struct{}{}
				}
			})
			asked := 0
			wanted := func(err error) UploadOptions {
				return UploadOptions{Wanted: func(ctx context.Context) error {
					asked++
					for range size / partBytes {
						select {
						case <-parts:
						case <-ctx.Done():
							return context.Cause(ctx)
						}
					}
					requireCode(t, client.Verify(ctx, loc, Object{Bytes: int64(size)}), CodeObjectMissing)
					return err
				}}
			}
			refused := errors.New("it is not what it should be")
			_, err := client.Upload(b.ctx, loc, path, wanted(refused))
			require.ErrorIs(t, err, refused)
			requireCode(t, b.client.Verify(b.ctx, loc, Object{Bytes: int64(size)}), CodeObjectMissing)
			require.Zero(t, b.uploads(t))

			object, err := client.Upload(b.ctx, loc, path, wanted(nil))
			require.NoError(t, err)
			require.NoError(t, b.client.Verify(b.ctx, loc, object))
			require.Equal(t, 2, asked)
		})
	}
}

// A location with its own credentials needs nothing of the client's.
func TestCredentialsInLocation(t *testing.T) {
	t.Parallel()
	b := setup(t)
	client, err := New(&Config{Guard: dialtest.Loopback()})
	require.NoError(t, err)
	t.Cleanup(client.Close)
	raw := strings.Replace(b.endpoint, "http://", "s3+http://"+b.access+":"+b.secret+"@", 1)
	loc := parsed(t, raw+"/"+b.bucket+"/a/b.mp4")
	path, content := b.file(t, mib)
	object, err := client.Upload(b.ctx, loc, path, UploadOptions{})
	require.NoError(t, err)
	target := b.target()
	_, err = client.Fetch(b.ctx, loc, target, FetchOptions{})
	require.NoError(t, err)
	requireSame(t, target, content)
	require.NoError(t, b.client.Verify(b.ctx, b.at(t, "a/b.mp4"), object), "both ways lead to one object")

	wrong := parsed(t, strings.Replace(string(loc.Secret()), "@", "x@", 1))
	_, err = client.Fetch(b.ctx, wrong, b.target(), FetchOptions{})
	requireCode(t, err, CodeCredentialsRefused)
	anonymous := parsed(t, loc.String())
	_, err = b.client.Fetch(b.ctx, anonymous, b.target(), FetchOptions{})
	requireCode(t, err, CodeCredentialsRefused)
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	b := setup(t)
	loc, _ := b.stored(t, "a", 10)
	path, _ := b.file(t, 10)
	large, _ := b.file(t, partBytes+1)
	wrongSecret := b.newClient(t, &Config{AccessKey: b.access, SecretKey: "planted-secret"})
	wrongKey := b.newClient(t, &Config{AccessKey: "PLANTEDKEY", SecretKey: "planted-secret"})
	noServer := b.newClient(t, &Config{Endpoint: "http://127.0.0.1:1", MaxAttempts: 2})
	noHost := b.newClient(t, &Config{Endpoint: "http://weir.invalid", MaxAttempts: 2})
	noBucket := parsed(t, "s3://no-such-"+b.bucket+"/a")
	upload := func(c *Client, loc Location, path string) error {
		_, err := c.Upload(b.ctx, loc, path, UploadOptions{})
		return err
	}
	fetch := func(c *Client, loc Location) error {
		target := b.target()
		_, err := c.Fetch(b.ctx, loc, target, FetchOptions{})
		requireNothing(t, target)
		return err
	}
	verify := func(c *Client, loc Location) error {
		return c.Verify(b.ctx, loc, Object{Bytes: 10})
	}
	sweep := func(c *Client, loc Location) error {
		_, err := c.AbortUploads(b.ctx, loc)
		return err
	}
	for name, test := range map[string]struct {
		err  error
		code Code
	}{
		"wrong secret, fetch":    {fetch(wrongSecret, loc), CodeCredentialsRefused},
		"wrong secret, upload":   {upload(wrongSecret, loc, path), CodeCredentialsRefused},
		"wrong secret, parts":    {upload(wrongSecret, loc, large), CodeCredentialsRefused},
		"wrong secret, verify":   {verify(wrongSecret, loc), CodeCredentialsRefused},
		"wrong secret, delete":   {wrongSecret.Delete(b.ctx, loc), CodeCredentialsRefused},
		"wrong secret, sweep":    {sweep(wrongSecret, loc), CodeCredentialsRefused},
		"wrong key, fetch":       {fetch(wrongKey, loc), CodeCredentialsRefused},
		"wrong key, upload":      {upload(wrongKey, loc, path), CodeCredentialsRefused},
		"missing bucket, fetch":  {fetch(b.client, noBucket), CodeBucketMissing},
		"missing bucket, upload": {upload(b.client, noBucket, path), CodeBucketMissing},
		"missing bucket, parts":  {upload(b.client, noBucket, large), CodeBucketMissing},
		"missing bucket, verify": {verify(b.client, noBucket), CodeBucketMissing},
		"missing bucket, delete": {b.client.Delete(b.ctx, noBucket), CodeBucketMissing},
		"missing bucket, sweep":  {sweep(b.client, noBucket), CodeBucketMissing},
		"missing object, fetch":  {fetch(b.client, b.at(t, "none")), CodeObjectMissing},
		"missing object, verify": {verify(b.client, b.at(t, "none")), CodeObjectMissing},
		"no server, fetch":       {fetch(noServer, loc), CodeS3Unavailable},
		"no server, upload":      {upload(noServer, loc, path), CodeS3Unavailable},
		"no host, fetch":         {fetch(noHost, loc), CodeS3Unavailable},
		"no key":                 {upload(b.client, b.at(t, ""), path), CodeLocationInvalid},
		"dots joined":            {upload(b.client, b.at(t, "a").Join(".."), path), CodeLocationInvalid},
		"upload to the web":      {upload(b.client, parsed(t, "https://h/a"), path), CodeLocationInvalid},
		"plain http":             {fetch(b.client, parsed(t, "http://h/a")), CodeLocationInvalid},
		"no location":            {fetch(b.client, Location{}), CodeLocationInvalid},
		"no such file":           {upload(b.client, loc, filepath.Join(b.dir, "none")), CodeSpoolFailed},
		"a folder":               {upload(b.client, loc, b.dir), CodeSpoolFailed},
		"other length":           {b.client.Verify(b.ctx, loc, Object{Bytes: 9}), CodeChecksumMismatch},
		"other bytes":            {verify(b.client, loc), CodeChecksumMismatch},
	} {
		t.Run(name, func(t *testing.T) {
			requireCode(t, test.err, test.code)
			requireClosed(t, test.err, "planted-secret", "PLANTEDKEY", b.secret, b.access)
		})
	}
	for _, client := range []*Client{b.client, wrongSecret} {
		requireClosed(t, client, b.secret, b.access, "planted-secret")
	}
	require.Zero(t, b.uploads(t))
}

func TestCheck(t *testing.T) {
	t.Parallel()
	strict, err := New(&Config{})
	require.NoError(t, err)
	lax, err := New(&Config{AllowHTTP: true})
	require.NoError(t, err)
	require.NoError(t, strict.CheckSource(parsed(t, "https://h/a")))
	requireCode(t, strict.CheckSource(parsed(t, "http://h/a")), CodeLocationInvalid)
	require.NoError(t, lax.CheckSource(parsed(t, "http://h/a")))
	require.NoError(t, strict.CheckSource(parsed(t, "s3+http://K:S@h/bucket/a")))
	requireCode(t, strict.CheckSource(parsed(t, "s3://bucket")), CodeLocationInvalid)
}

func TestConfig(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]Config{
		"credentials in the endpoint": {Endpoint: "https://K:planted-secret@host"},
		"broken endpoint":             {Endpoint: "https://K:planted-secret/x@host"},
		"no scheme":                   {Endpoint: "host:9000"},
		"half a pair":                 {SecretKey: "planted-secret"},
		"negative":                    {StallTimeout: -1},
		"no region":                   {Region: "planted-secret/x"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := New(&config)
			require.Error(t, err)
			requireClosed(t, err, "planted-secret")
			requireHidden(t, config.SecretKey, "planted-secret")
		})
	}
}

// Refusals that pass, in every kind of request, cost time and nothing else.
func TestUploadHealsFromSlowDown(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var refused atomic.Int32
	client := b.front(t, &Config{}, func(w http.ResponseWriter, _ *http.Request, pass func()) {
		if n := refused.Add(1); n%3 != 0 {
			w.Header().Set("Content-Type", "application/xml")
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = w.Write([]byte(`<Error><Code>SlowDown</Code><Message>slow down</Message></Error>`))
			return
		}
		pass()
	})
	path, content := b.file(t, 2*partBytes)
	loc := b.at(t, "a")
	_, err := client.Upload(b.ctx, loc, path, UploadOptions{})
	require.NoError(t, err)
	target := b.target()
	_, err = client.Fetch(b.ctx, loc, target, FetchOptions{})
	require.NoError(t, err)
	requireSame(t, target, content)
}

func TestUploadGivesUp(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var asked atomic.Int32
	client := b.front(t, &Config{MaxAttempts: 3}, func(w http.ResponseWriter, r *http.Request, pass func()) {
		if r.URL.Query().Has("partNumber") {
			asked.Add(1)
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		pass()
	})
	path, _ := b.file(t, partBytes)
	_, err := client.Upload(b.ctx, b.at(t, "a"), path, UploadOptions{})
	requireCode(t, err, CodeS3Unavailable)
	require.EqualValues(t, 3, asked.Load())
	require.Zero(t, b.uploads(t), "the half upload is gone")
}

// A server that takes a body and says nothing is left, and tried again.
func TestUploadStalls(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var stalled atomic.Bool
	client := b.front(t, &Config{StallTimeout: testStall}, func(_ http.ResponseWriter, r *http.Request, pass func()) {
		if r.Method == http.MethodPut && stalled.CompareAndSwap(false, true) {
			gone(t, r)
			return
		}
		pass()
	})
	path, _ := b.file(t, mib)
	_, err := client.Upload(b.ctx, b.at(t, "a"), path, UploadOptions{})
	require.NoError(t, err)
	require.True(t, stalled.Load())
}

func TestUploadCancelled(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx, cancel := context.WithCancelCause(b.ctx)
	defer cancel(nil)
	var begun atomic.Int32
	stored := make(chan struct{})
	client := b.front(t, &Config{}, func(_ http.ResponseWriter, r *http.Request, pass func()) {
		// The first part is stored, the others are cut: a server that still writes a part
		// when the upload is aborted may keep it.
		switch r.URL.Query().Get("partNumber") {
		case "1":
			pass()
			close(stored)
		case "2":
			<-stored
			begun.Add(int32(b.uploads(t)))
			cancel(syscall.EINTR) // stands for any named cause
			gone(t, r)
		case "3":
			gone(t, r)
		default:
			pass()
		}
	})
	path, _ := b.file(t, 3*partBytes)
	loc := b.at(t, "a")
	_, err := client.Upload(ctx, loc, path, UploadOptions{})
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, err, syscall.EINTR)
	var failed *Error
	require.NotErrorAs(t, err, &failed, "the end of a context says nothing of storage")
	require.EqualValues(t, 1, begun.Load())
	require.Zero(t, b.uploads(t))
	requireCode(t, b.client.Verify(b.ctx, loc, Object{}), CodeObjectMissing)
}

func TestUploadCorrupted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	path, content := b.file(t, mib)
	loc := b.at(t, "a")
	t.Run("what another one wrote", func(t *testing.T) {
		t.Parallel()
		loc := b.at(t, "b")
		client := b.front(t, &Config{}, func(_ http.ResponseWriter, r *http.Request, pass func()) {
			pass()
			if r.Method != http.MethodPut {
				return
			}
			key, other := loc.Key(), bytes.Clone(content)
			other[0] ^= 1
			_, err := b.sdk.PutObject(context.WithoutCancel(r.Context()), &s3.PutObjectInput{
				Bucket: &b.bucket, Key: &key, Body: bytes.NewReader(other), ChecksumAlgorithm: "CRC32C",
			})
			if err != nil {
				panic(err)
			}
		})
		_, err := client.Upload(b.ctx, loc, path, UploadOptions{})
		requireCode(t, err, CodeChecksumMismatch)
	})
	t.Run("a server that doesn't show it", func(t *testing.T) {
		t.Parallel()
		client := b.front(t, &Config{}, func(w http.ResponseWriter, r *http.Request, pass func()) {
			if r.Method == http.MethodHead {
				w.WriteHeader(http.StatusNotFound)
				return
			}
			pass()
		})
		_, err := client.Upload(b.ctx, loc, path, UploadOptions{})
		requireCode(t, err, CodeUploadUnverified)
	})
	t.Run("a key that may not read", func(t *testing.T) {
		t.Parallel()
		client := b.front(t, &Config{}, func(w http.ResponseWriter, r *http.Request, pass func()) {
			if r.Method == http.MethodHead {
				w.WriteHeader(http.StatusForbidden)
				return
			}
			pass()
		})
		_, err := client.Upload(b.ctx, loc, path, UploadOptions{})
		requireCode(t, err, CodeCredentialsRefused)
	})
}

// A server may complete an upload and lose the answer; its retry is then told
// that there is no such upload.
func TestUploadCompletedUnheard(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var lost atomic.Bool
	client := b.frontTo(t, &Config{}, func(w http.ResponseWriter, r *http.Request, passTo func(http.ResponseWriter)) {
		if r.Method == http.MethodPost && r.URL.Query().Has("uploadId") && lost.CompareAndSwap(false, true) {
			// The real answer goes nowhere, then the connection breaks.
			passTo(httptest.NewRecorder())
			panic(http.ErrAbortHandler)
		}
		passTo(w)
	})
	path, _ := b.file(t, partBytes+1)
	loc := b.at(t, "a")
	object, err := client.Upload(b.ctx, loc, path, UploadOptions{})
	require.NoError(t, err)
	require.True(t, lost.Load())
	require.NoError(t, b.client.Verify(b.ctx, loc, object))
}

// A sibling whose key begins with this one's keeps its upload: profile "a.ts" beside "a".
func TestAbortUploads(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, key := range []string{"out/a.ts", "out/a.ts", "out/a.ts.ts", "out/b.ts"} {
		_, err := b.sdk.CreateMultipartUpload(b.ctx, &s3.CreateMultipartUploadInput{Bucket: &b.bucket, Key: &key})
		require.NoError(t, err)
	}
	n, err := b.client.AbortUploads(b.ctx, b.at(t, "out/a.ts"))
	require.NoError(t, err)
	require.Equal(t, 2, n)
	require.Equal(t, 2, b.uploads(t))
	n, err = b.client.AbortUploads(b.ctx, b.at(t, "out/none"))
	require.NoError(t, err)
	require.Zero(t, n)
	_, err = b.client.AbortUploads(b.ctx, b.at(t, ""))
	requireCode(t, err, CodeLocationInvalid)
}

// What is read from the file, and not what stat said, is what counts.
func TestUploadOfAFileThatShrinks(t *testing.T) {
	t.Parallel()
	b := setup(t)
	path, _ := b.file(t, 4*partBytes)
	client := b.front(t, &Config{}, func(_ http.ResponseWriter, r *http.Request, pass func()) {
		if r.URL.Query().Has("uploads") {
			if err := os.Truncate(path, partBytes+1); err != nil {
				panic(err)
			}
		}
		pass()
	})
	_, err := client.Upload(b.ctx, b.at(t, "a"), path, UploadOptions{})
	requireCode(t, err, CodeSpoolFailed)
	require.Zero(t, b.uploads(t))
}

func TestUploadOfAFileThatGrows(t *testing.T) {
	t.Parallel()
	b := setup(t)
	path, _ := b.file(t, 2*partBytes)
	client := b.front(t, &Config{}, func(_ http.ResponseWriter, r *http.Request, pass func()) {
		if r.URL.Query().Has("uploads") {
			if err := os.Truncate(path, 2*partBytes+1); err != nil {
				panic(err)
			}
		}
		pass()
	})
	loc := b.at(t, "a")
	_, err := client.Upload(b.ctx, loc, path, UploadOptions{})
	requireCode(t, err, CodeSpoolFailed)
	require.Zero(t, b.uploads(t))
	requireCode(t, b.client.Verify(b.ctx, loc, Object{}), CodeObjectMissing)
}
