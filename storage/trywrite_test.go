package storage

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"
)

// objects lists the bucket.
func (b *bundle) objects(t *testing.T) []string {
	t.Helper()
	out, err := b.sdk.ListObjectsV2(b.ctx, &s3.ListObjectsV2Input{Bucket: &b.bucket})
	require.NoError(t, err)
	var keys []string
	for _, object := range out.Contents {
		keys = append(keys, *object.Key)
	}
	return keys
}

func TestTryWrite(t *testing.T) {
	t.Parallel()
	b := setup(t)
	require.NoError(t, b.client.TryWrite(b.ctx, b.at(t, "out/1"), b.at(t, "out/1/720p.ts")))
	require.NoError(t, b.client.TryWrite(b.ctx, b.at(t, "")))
	require.Empty(t, b.objects(t), "it leaves nothing")

	deep := strings.TrimSuffix(strings.Repeat("folder/", 140), "/")
	wrongSecret := b.newClient(t, &Config{AccessKey: b.access, SecretKey: "planted-secret"})
	noServer := b.newClient(t, &Config{Endpoint: "http://127.0.0.1:1", MaxAttempts: 2})
	for name, test := range map[string]struct {
		err  error
		code Code
	}{
		"missing bucket": {b.client.TryWrite(b.ctx, parsed(t, "s3://no-such-"+b.bucket+"/a")), CodeBucketMissing},
		"wrong secret":   {wrongSecret.TryWrite(b.ctx, b.at(t, "a")), CodeCredentialsRefused},
		"no server":      {noServer.TryWrite(b.ctx, b.at(t, "a")), CodeS3Unavailable},
		"the web":        {b.client.TryWrite(b.ctx, parsed(t, "https://h/a")), CodeLocationInvalid},
		"long key": {
			b.client.TryWrite(b.ctx, b.at(t, deep), b.at(t, deep).Join(strings.Repeat("a", 20)), b.at(t, deep).Join(strings.Repeat("a", 80))),
			CodeKeyTooLong,
		},
		"dots": {b.client.TryWrite(b.ctx, b.at(t, "a"), b.at(t, "a").Join("..")), CodeLocationInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			requireCode(t, test.err, test.code)
			requireClosed(t, test.err, "planted-secret", b.secret)
		})
	}
	require.Empty(t, b.objects(t))
}

// What is told before is what the upload would have said.
func TestUploadOfALongKey(t *testing.T) {
	t.Parallel()
	b := setup(t)
	path, _ := b.file(t, 10)
	_, err := b.client.Upload(b.ctx, b.at(t, "a").Join(strings.Repeat("b", maxKeyBytes)), path, UploadOptions{})
	requireCode(t, err, CodeKeyTooLong)
}

// One of the buckets of a server is found, whatever bucket is named to ask it.
func TestFirstBucket(t *testing.T) {
	t.Parallel()
	b := setup(t)
	name, err := b.client.FirstBucket(b.ctx, parsed(t, "s3://no-such-"+b.bucket+"/"))
	require.NoError(t, err)
	require.NotEmpty(t, name)
	_, err = b.newClient(t, &Config{AccessKey: b.access, SecretKey: "planted-secret"}).FirstBucket(b.ctx, b.at(t, ""))
	require.ErrorContains(t, err, "list buckets")
	require.NotContains(t, err.Error(), "planted")
}

func TestTryWriteWithoutSomeRights(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, test := range map[string]struct {
		forbidden string
		code      Code
		left      int
	}{
		"no put":    {http.MethodPut, CodeCredentialsRefused, 0},
		"no read":   {http.MethodHead, CodeCredentialsRefused, 0},
		"no delete": {http.MethodDelete, "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			b := setup(t)
			client := b.front(t, &Config{}, func(w http.ResponseWriter, r *http.Request, pass func()) {
				if r.Method == test.forbidden {
					_, _ = io.Copy(io.Discard, r.Body)
					w.WriteHeader(http.StatusForbidden)
					return
				}
				pass()
			})
			err := client.TryWrite(b.ctx, b.at(t, "out"))
			if test.code == "" {
				require.NoError(t, err)
			} else {
				requireCode(t, err, test.code)
			}
			keys := b.objects(t)
			require.Len(t, keys, test.left)
			for _, key := range keys {
				require.True(t, strings.HasPrefix(key, "out/"+tryName), key)
			}
		})
	}
	require.Empty(t, b.objects(t))
}

// A bucket that keeps versions keeps none of it, where the key may remove them.
func TestTryWriteWithVersions(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, mayRemove := range []bool{true, false} {
		var versions, marks atomic.Int32
		client := b.front(t, &Config{}, func(w http.ResponseWriter, r *http.Request, pass func()) {
			switch {
			case r.Method == http.MethodPut:
				w.Header().Set("X-Amz-Version-Id", "v1")
			case r.Method == http.MethodDelete && r.URL.Query().Has("versionId"):
				versions.Add(1)
				if mayRemove {
					w.WriteHeader(http.StatusNoContent)
				} else {
					w.WriteHeader(http.StatusForbidden)
				}
				return
			case r.Method == http.MethodDelete:
				marks.Add(1)
			}
			pass()
		})
		require.NoError(t, client.TryWrite(b.ctx, b.at(t, "a")))
		require.EqualValues(t, 1, versions.Load())
		require.Equal(t, !mayRemove, marks.Load() == 1)
	}
}
