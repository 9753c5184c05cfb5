package storage

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"weir/secret"
)

// A location on a server goes there, with that server's keys, and shows nothing of it.
func TestLocationOnAServer(t *testing.T) {
	t.Parallel()
	b := setup(t)
	nowhere := b.newClient(t, &Config{Endpoint: "http://127.0.0.1:1", MaxAttempts: 1})
	server := &Server{Endpoint: b.endpoint + "/", Region: "us-east-1", AccessKey: b.access, SecretKey: secret.Secret(b.secret), PathStyle: true}
	path, content := b.file(t, 1000)
	loc := b.at(t, "on/a").InStore("main").On(server)
	require.True(t, loc.NeedsServer())
	require.Equal(t, "main", loc.Store())
	require.Equal(t, b.endpoint+"/"+b.bucket, loc.Destination())
	object, err := nowhere.Upload(b.ctx, loc, path, UploadOptions{})
	require.NoError(t, err)
	require.EqualValues(t, len(content), object.Bytes)
	for _, printed := range []string{fmt.Sprintf("%v %+v %#v", loc, loc, loc), string(loc.Secret()), loc.Join("b").String()} {
		require.NotContains(t, printed, b.secret)
		require.NotContains(t, printed, b.endpoint)
	}

	server.SecretKey = "planted-secret"
	_, err = nowhere.Upload(b.ctx, b.at(t, "on/b").On(server), path, UploadOptions{})
	requireCode(t, err, CodeCredentialsRefused)
	elsewhere := parsed(t, "s3+http://127.0.0.1:1/media/a")
	require.Equal(t, elsewhere, elsewhere.On(server).InStore("main"), "it says itself where it leads")
}
