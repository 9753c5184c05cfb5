package host

import (
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"weir/engine"
	"weir/internal/devstack"
	"weir/jobs"
	"weir/jobs/jobstest"
	"weir/media"
	"weir/secret"
	"weir/storage"
	"weir/storage/dial/dialtest"
)

// testBucket is one of its own in the real S3 server that the tests share.
type testBucket struct {
	*devstack.S3
	name string
}

func newBucket(t *testing.T) testBucket {
	t.Helper()
	server := &devstack.S3{
		Endpoint: os.Getenv("WEIR_TEST_S3_ENDPOINT"), Region: os.Getenv("WEIR_TEST_S3_REGION"),
		AccessKey: os.Getenv("WEIR_TEST_S3_ACCESS_KEY"), SecretKey: secret.Secret(os.Getenv("WEIR_TEST_S3_SECRET_KEY")),
	}
	require.NotEmpty(t, server.Endpoint, "no S3 server to test with: run `make test`")
	b := testBucket{server, "weir-" + uuid.NewString()}
	require.NoError(t, server.MakeBucket(t.Context(), b.name))
	return b
}

// at is the location of key as a request has it, through the server at endpoint.
func (b testBucket) at(t *testing.T, endpoint, key string) string {
	t.Helper()
	server, err := url.Parse(endpoint)
	require.NoError(t, err)
	return (&url.URL{
		Scheme: "s3+http", User: url.UserPassword(b.AccessKey, string(b.SecretKey)), Host: server.Host, Path: "/" + b.name + "/" + key,
	}).String()
}

func (b testBucket) put(t *testing.T, key, content string) {
	t.Helper()
	require.NoError(t, b.Put(t.Context(), b.name, key, strings.NewReader(content)))
}

// newHost is the test's host as its newest boot has it, with a spool of its own.
func newHost(t *testing.T, b *jobstest.Bundle, config *storage.Config) *Host {
	t.Helper()
	config.PathStyle, config.AllowHTTP, config.Guard = true, true, dialtest.Loopback()
	client, err := storage.New(config)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return &Host{
		ID: jobstest.Host, BootID: b.Boot(t, jobstest.Host, 4), DB: b.Pool, Storage: client, Sealer: b.Sealer,
		Log: jobstest.Silent(), Spool: t.TempDir(), Slots: 1, Stores: 2, Media: &media.Tools{}, finishing: make(chan struct{}, 2),
	}
}

// takeUp makes the supervisor of a transcode's newest attempt.
func takeUp(t *testing.T, b *jobstest.Bundle, h *Host, transcode uuid.UUID) *supervisor {
	t.Helper()
	name := engine.Name{Transcode: transcode, Attempt: int(b.Get(t, transcode).Attempt)}
	s := &supervisor{host: h, client: b.River, name: name, log: jobstest.Silent()}
	require.NoError(t, s.takeUp(t.Context(), 1))
	return s
}

// fetched has the newest attempt fetch its source.
func fetched(t *testing.T, b *jobstest.Bundle, h *Host, transcode uuid.UUID) {
	t.Helper()
	s := takeUp(t, b, h, transcode)
	rows, err := s.load(t.Context())
	require.NoError(t, err)
	require.Equal(t, jobs.DoFetch, jobs.Plan(rows, h.clock.now()).Do)
	require.NoError(t, s.fetch(t.Context(), &rows))
}
