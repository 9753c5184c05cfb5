package storage

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/secret"
	"weir/storage/dial/dialtest"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	mib = 1 << 20
	// testStall is what a test waits for that must see a stall and then heal;
	// a slow machine costs such a test more attempts, not its result.
	testStall = time.Second
	// endlessStall is for a server that never answers, where no answer can come too late.
	endlessStall = 200 * time.Millisecond
	// testBackoff keeps retries quick.
	testBackoff = 50 * time.Millisecond
)

// testServer is the real S3 server that the tests share.
type testServer struct{ endpoint, access, secret string }

func realServer(t *testing.T) testServer {
	t.Helper()
	s := testServer{
		endpoint: os.Getenv("WEIR_TEST_S3_ENDPOINT"),
		access:   os.Getenv("WEIR_TEST_S3_ACCESS_KEY"),
		secret:   os.Getenv("WEIR_TEST_S3_SECRET_KEY"),
	}
	require.NotEmpty(t, s.endpoint, "no S3 server to test with: run `make test`")
	return s
}

// bundle is what nearly every test needs: a bucket of its own, a client for
// it, and a folder for files.
type bundle struct {
	testServer
	ctx    context.Context
	client *Client
	sdk    *s3.Client
	bucket string
	dir    string
}

func setup(t *testing.T) *bundle {
	t.Helper()
	s := realServer(t)
	b := &bundle{testServer: s, ctx: t.Context(), bucket: "weir-" + uuid.NewString(), dir: t.TempDir()}
	b.client = b.newClient(t, &Config{})
	b.sdk = b.client.server(b.at(t, ""), "", 0).Client
	_, err := b.sdk.CreateBucket(b.ctx, &s3.CreateBucketInput{Bucket: &b.bucket})
	require.NoError(t, err)
	return b
}

// newClient fills in what a test leaves open.
func (b *bundle) newClient(t *testing.T, config *Config) *Client {
	t.Helper()
	if config.Endpoint == "" {
		config.Endpoint = b.endpoint
	}
	if config.AccessKey == "" {
		config.AccessKey, config.SecretKey = b.access, secret.Secret(b.secret)
	}
	config.PathStyle = true
	config.Guard = cmp.Or(config.Guard, dialtest.Loopback())
	config.MaxBackoff = testBackoff
	client, err := New(config)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return client
}

// at is the location of key in the test's bucket.
func (b *bundle) at(t *testing.T, key string) Location {
	t.Helper()
	return parsed(t, "s3://"+b.bucket+"/"+(&url.URL{Path: key}).EscapedPath())
}

func parsed(t *testing.T, raw string) Location {
	t.Helper()
	loc, err := ParseLocation(raw)
	require.NoError(t, err)
	return loc
}

// file makes a file of random bytes.
func (b *bundle) file(t *testing.T, size int) (path string, content []byte) {
	t.Helper()
	content = make([]byte, size)
	_, _ = rand.Read(content)
	path = filepath.Join(b.dir, uuid.NewString())
	require.NoError(t, os.WriteFile(path, content, 0o600))
	return path, content
}

// stored uploads a file of random bytes under key.
func (b *bundle) stored(t *testing.T, key string, size int) (Location, []byte) {
	t.Helper()
	path, content := b.file(t, size)
	loc := b.at(t, key)
	_, err := b.client.Upload(b.ctx, loc, path, UploadOptions{})
	require.NoError(t, err)
	return loc, content
}

// target is where a fetch of the test goes.
func (b *bundle) target() string { return filepath.Join(b.dir, "target-"+uuid.NewString()) }

func requireSame(t *testing.T, path string, want []byte) {
	t.Helper()
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Len(t, got, len(want))
	require.True(t, bytes.Equal(want, got), "the bytes differ")
}

// requireNothing fails if a fetch left its file or a part of it.
func requireNothing(t *testing.T, path string) {
	t.Helper()
	require.NoFileExists(t, path)
	require.NoFileExists(t, path+partialSuffix)
}

func requireCode(t *testing.T, err error, code Code) {
	t.Helper()
	var failed *Error
	require.ErrorAs(t, err, &failed)
	require.Equal(t, code, failed.Code, "%v", err)
	require.NotEmpty(t, code.Advice())
}

// uploads counts the multipart uploads that are under way in the bucket.
func (b *bundle) uploads(t *testing.T) int {
	t.Helper()
	out, err := b.sdk.ListMultipartUploads(context.WithoutCancel(b.ctx), &s3.ListMultipartUploadsInput{Bucket: &b.bucket})
	require.NoError(t, err)
	return len(out.Uploads)
}

// front puts handler before the S3 server and returns a client through it.
// The handler answers itself or calls pass.
func (b *bundle) front(t *testing.T, config *Config, handler func(w http.ResponseWriter, r *http.Request, pass func())) *Client {
	t.Helper()
	return b.frontTo(t, config, func(w http.ResponseWriter, r *http.Request, passTo func(http.ResponseWriter)) {
		handler(w, r, func() { passTo(w) })
	})
}

// frontTo is front for a handler that keeps what the server answered.
func (b *bundle) frontTo(t *testing.T, config *Config, handler func(w http.ResponseWriter, r *http.Request, passTo func(http.ResponseWriter))) *Client {
	t.Helper()
	server := httptest.NewServer(b.proxy(t, handler))
	t.Cleanup(server.Close)
	config.Endpoint = server.URL
	return b.newClient(t, config)
}

// frontTLS is front over https, as a server of the world has it.
func (b *bundle) frontTLS(t *testing.T, config *Config, handler func(w http.ResponseWriter, r *http.Request, passTo func(http.ResponseWriter))) *Client {
	t.Helper()
	server := httptest.NewTLSServer(b.proxy(t, handler))
	t.Cleanup(server.Close)
	config.Endpoint = server.URL
	client := b.newClient(t, config)
	transport, ok := client.own.Transport.(brief)
	require.True(t, ok)
	trusting, ok := server.Client().Transport.(*http.Transport)
	require.True(t, ok)
	transport.TLSClientConfig = trusting.TLSClientConfig
	return client
}

// proxy is the way to the S3 server behind handler.
func (b *bundle) proxy(t *testing.T, handler func(w http.ResponseWriter, r *http.Request, passTo func(http.ResponseWriter))) http.Handler {
	t.Helper()
	target, err := url.Parse(b.endpoint)
	require.NoError(t, err)
	transport := &http.Transport{DisableCompression: true}
	proxy := &httputil.ReverseProxy{
		Transport: transport,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host // it is signed
		},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	t.Cleanup(transport.CloseIdleConnections)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler(w, r, func(to http.ResponseWriter) { proxy.ServeHTTP(to, r) })
	})
}

// gone takes the body of r and returns when its client hung up.
func gone(t *testing.T, r *http.Request) {
	// net/http watches the connection only once the body is read.
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return
	}
	select {
	case <-r.Context().Done():
	case <-t.Context().Done():
	}
}

// shown is v in every form in which it could reach a log, a row or a person.
func shown(v any) string {
	var b strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&b, verb+"\n", v)
		fmt.Fprintf(&b, verb+"\n", struct{ V any }{v})
		fmt.Fprintf(&b, verb+"\n", []any{v, &v})
	}
	slog.New(slog.NewTextHandler(&b, nil)).Info("text", "v", v)
	slog.New(slog.NewJSONHandler(&b, nil)).Info("json", "v", v)
	encoded, err := json.Marshal(v)
	fmt.Fprintln(&b, string(encoded), err)
	return b.String()
}

func requireHidden(t *testing.T, v any, secrets ...string) {
	t.Helper()
	text := shown(v)
	for _, secret := range secrets {
		require.NotContains(t, text, secret)
		require.NotContains(t, text, url.QueryEscape(secret))
		require.NotContains(t, text, fmt.Sprintf("%x", secret))
	}
}

// requireClosed is requireHidden that also holds for the unexported field of
// somebody's struct, where fmt asks for no method.
func requireClosed(t *testing.T, v any, secrets ...string) {
	t.Helper()
	requireHidden(t, v, secrets...)
	requireHidden(t, struct{ v any }{v}, secrets...)
}
