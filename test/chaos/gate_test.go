package main

import (
	"context"
	"crypto/rand"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"weir/internal/devstack"
	"weir/secret"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// answerTime is above what the loopback takes on a busy machine; silence is what is
// waited for an answer that must not come.
const (
	answerTime = 10 * time.Second
	silence    = 200 * time.Millisecond
)

// testBundle asks a server, over what stands before it.
type testBundle struct {
	server *httptest.Server
	client *http.Client
}

func setup(t *testing.T, handler http.HandlerFunc) *testBundle {
	t.Helper()
	server := httptest.NewServer(handler)
	client := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(func() {
		client.CloseIdleConnections()
		server.Close()
	})
	return &testBundle{server: server, client: client}
}

// ask sends a request for at most so long and returns the status.
func (b *testBundle) ask(t *testing.T, method, address, body string, limit time.Duration) (int, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "http://"+address+"/bucket/key", strings.NewReader(body))
	require.NoError(t, err)
	resp, err := b.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

// ok answers what it got as a whole.
func ok(_ http.ResponseWriter, r *http.Request) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		panic(http.ErrAbortHandler)
	}
}

func TestGate(t *testing.T) {
	t.Parallel()
	b := setup(t, ok)
	g, err := newGate(t.Context(), b.server.Listener.Addr().String())
	require.NoError(t, err)
	defer func() { require.NoError(t, g.Close()) }()
	passes := func() {
		t.Helper()
		status, err := b.ask(t, http.MethodPost, g.address, "hello", answerTime)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, status)
	}
	passes()

	g.refuse()
	_, err = b.ask(t, http.MethodPost, g.address, "hello", answerTime)
	require.Error(t, err)
	require.NotErrorIs(t, err, context.DeadlineExceeded, "refused at once")
	require.NoError(t, g.heal(t.Context()))
	passes()

	g.freeze()
	_, err = b.ask(t, http.MethodPost, g.address, "hello", silence)
	require.ErrorIs(t, err, context.DeadlineExceeded, "silent")
	require.NoError(t, g.heal(t.Context()))
	passes()
}

func TestDoor(t *testing.T) {
	t.Parallel()
	b := setup(t, ok)
	d, err := newDoor(t.Context(), b.server.URL)
	require.NoError(t, err)
	defer func() { require.NoError(t, d.Close()) }()
	put := func(limit time.Duration) (int, error) {
		return b.ask(t, http.MethodPut, d.address, strings.Repeat("x", 1<<20), limit)
	}
	status, err := put(answerTime)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, 1, d.uploadsOf("key"))

	d.set(doorThrottles)
	status, err = put(answerTime)
	require.NoError(t, err)
	require.Equal(t, http.StatusServiceUnavailable, status)

	d.set(doorStalls)
	_, err = put(silence)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Equal(t, 1, d.uploadsOf("key"), "what is not whole does not count")

	d.set(doorOpen)
	status, err = put(answerTime)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, 2, d.uploadsOf("key"))
}

// A host asks its gate as a proxy for the store's name, and through the door reaches S3 with
// what was signed.
func TestStoreBehindAProxy(t *testing.T) {
	t.Parallel()
	server := &devstack.S3{
		Endpoint: os.Getenv("WEIR_TEST_S3_ENDPOINT"), Region: os.Getenv("WEIR_TEST_S3_REGION"),
		AccessKey: os.Getenv("WEIR_TEST_S3_ACCESS_KEY"), SecretKey: secret.Secret(os.Getenv("WEIR_TEST_S3_SECRET_KEY")),
	}
	require.NotEmpty(t, server.Endpoint, "no S3 server to test with: run `make test`")
	bucket := "weir-" + strings.ToLower(rand.Text())
	require.NoError(t, server.MakeBucket(t.Context(), bucket))
	d, err := newDoor(t.Context(), server.Endpoint)
	require.NoError(t, err)
	defer func() { require.NoError(t, d.Close()) }()
	g, err := newGate(t.Context(), d.address)
	require.NoError(t, err)
	defer func() { require.NoError(t, g.Close()) }()
	transport := &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: g.address})}
	defer transport.CloseIdleConnections()
	client := s3.New(s3.Options{
		Region: server.Region, BaseEndpoint: aws.String(storeEndpoint), UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(server.AccessKey, string(server.SecretKey), ""),
		HTTPClient:  &http.Client{Transport: transport},
	})
	_, err = client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: aws.String("a/b"), Body: strings.NewReader("x")})
	require.NoError(t, err)
	require.Equal(t, 1, d.uploadsOf("a/b"))
}
