package storage

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"weir/storage/dial"
	"weir/storage/dial/dialtest"
)

// inside is a server that nothing may reach.
func inside(t *testing.T, reached *atomic.Int64) *url.URL {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		reached.Add(1)
		w.WriteHeader(http.StatusTeapot)
	}))
	t.Cleanup(server.Close)
	u, err := url.Parse(server.URL)
	require.NoError(t, err)
	return u
}

// toldAs makes sure of the code, and returns what else a tenant reads.
func toldAs(t *testing.T, err error, code Code) string {
	t.Helper()
	requireCode(t, err, code)
	failed, _ := errors.AsType[*Error](err)
	return failed.FailureText()
}

// What is refused, what is closed and what is not known differ in nothing that a tenant
// sees.
func TestGuardedSource(t *testing.T) {
	t.Parallel()
	var reached atomic.Int64
	open := inside(t, &reached)
	client, err := New(&Config{AllowHTTP: true, MaxBackoff: testBackoff})
	require.NoError(t, err)
	t.Cleanup(client.Close)
	var said []string
	for _, host := range []string{
		open.Host, "localhost:" + open.Port(), "[::ffff:127.0.0.1]:" + open.Port(), "0.0.0.0:" + open.Port(), "127.0.0.1:1",
		"169.254.169.254", "10.0.0.1:22", "[fd00:ec2::254]", "weir.invalid",
	} {
		target := filepath.Join(t.TempDir(), "target")
		_, err := client.Fetch(t.Context(), parsed(t, "http://"+host+"/api2?command=%7B%7D"), target, FetchOptions{})
		said = append(said, toldAs(t, err, CodeSourceUnreachable))
		requireNothing(t, target)
		if host != "weir.invalid" {
			var refused *dial.Refusal
			require.ErrorAs(t, err, &refused, host)
		}
	}
	for _, text := range said {
		require.Empty(t, text)
	}
	require.Zero(t, reached.Load())
}

func TestGuardedOutput(t *testing.T) {
	t.Parallel()
	var reached atomic.Int64
	open := inside(t, &reached)
	client, err := New(&Config{MaxAttempts: 2, MaxBackoff: testBackoff})
	require.NoError(t, err)
	t.Cleanup(client.Close)
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, []byte("x"), 0o600))
	for _, host := range []string{open.Host, "127.0.0.1:1", "weir.invalid"} {
		folder := parsed(t, "s3+http://KEY:SECRET@"+host+"/bucket/folder")
		require.Empty(t, toldAs(t, client.TryWrite(t.Context(), folder), CodeS3Unavailable))
		_, err := client.Upload(t.Context(), folder.Join("a"), path, UploadOptions{})
		require.Empty(t, toldAs(t, err, CodeS3Unavailable))
		_, err = client.Fetch(t.Context(), folder.Join("a"), path+".in", FetchOptions{})
		require.Empty(t, toldAs(t, err, CodeS3Unavailable))
	}
	require.Zero(t, reached.Load())
}

// What an operator has set as the endpoint is not bound.
func TestGuardIsNotForTheEndpoint(t *testing.T) {
	t.Parallel()
	b := setup(t)
	client := b.newClient(t, &Config{Guard: &dial.Guard{}})
	path, _ := b.file(t, 1)
	_, err := client.Upload(t.Context(), b.at(t, "a"), path, UploadOptions{})
	require.NoError(t, err)
	named := strings.Replace(b.endpoint, "http://", "s3+http://"+b.access+":"+b.secret+"@", 1)
	requireCode(t, client.Verify(t.Context(), parsed(t, named+"/"+b.bucket+"/a"), Object{}), CodeS3Unavailable)
}

func TestGuardedRedirects(t *testing.T) {
	t.Parallel()
	var reached atomic.Int64
	closed := inside(t, &reached)
	port, err := strconv.ParseUint(closed.Port(), 10, 16)
	require.NoError(t, err)
	for _, status := range []int{http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect} {
		guard := dialtest.Loopback()
		guard.Own = []uint16{uint16(port)} // as Mist's: never reached, whatever is allowed
		location, client := source(t, &Config{MaxBackoff: testBackoff, Guard: guard}, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, closed.String()+"/api2?command=%7B%7D", status)
		})
		_, err = client.Fetch(t.Context(), location, filepath.Join(t.TempDir(), "target"), FetchOptions{})
		require.Empty(t, toldAs(t, err, CodeSourceUnreachable))
		var refused *dial.Refusal
		require.ErrorAs(t, err, &refused)
		require.True(t, refused.Own)
	}
	require.Zero(t, reached.Load())
}

// A proxy of the environment would connect to whatever it is asked for. net/http reads
// the variables once a process, so that the test is one of its own.
func TestNoProxyForRequests(t *testing.T) {
	t.Parallel()
	const variable, location = "HTTP_PROXY", "http://proxied.invalid/a"
	if proxy := os.Getenv("WEIR_TEST_PROXY"); proxy != "" {
		req, err := http.NewRequest(http.MethodGet, location, http.NoBody)
		require.NoError(t, err)
		used, err := http.ProxyFromEnvironment(req)
		require.NoError(t, err)
		require.Equal(t, proxy, used.String(), "else this test shows nothing")
		client, err := New(&Config{AllowHTTP: true, MaxAttempts: 1})
		require.NoError(t, err)
		defer client.Close()
		_, err = client.Fetch(t.Context(), parsed(t, location), filepath.Join(t.TempDir(), "target"), FetchOptions{})
		requireCode(t, err, CodeSourceUnreachable)
		requireCode(t, client.TryWrite(t.Context(), parsed(t, "s3+http://proxied.invalid/bucket/a")), CodeS3Unavailable)
		return
	}
	var reached atomic.Int64
	proxy := inside(t, &reached)
	test := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.count=1")
	test.Env = append(os.Environ(), variable+"="+proxy.String(), "WEIR_TEST_PROXY="+proxy.String())
	output, err := test.CombinedOutput()
	require.NoError(t, err, "%s", output)
	require.Zero(t, reached.Load())
}
