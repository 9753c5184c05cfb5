package e2e

import (
	"os"
	"path"
	"testing"

	"github.com/stretchr/testify/require"

	"weir/secret"
)

// s3://bucket/key leads to the tenant's store, which devstack has set by weir-admin: neither
// the request nor the daemon has its keys.
func TestStores(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, facts := b.source(t, plain())
	in := b.Bucket + "/" + path.Join(b.prefix, "in", plain().name)
	out := b.Bucket + "/" + path.Join(b.prefix, "out")
	for _, at := range []string{"s3://", "s3://main@"} {
		req := b.request(t, secret.Secret(at+in))
		req.Output.URL = at + out
		transcode := b.succeeds(t, b.submit(t, req), facts)
		require.Contains(t, transcode.Renditions[0].Location, "s3://"+out+"/"+transcode.ID+"/1/")
	}
	for _, daemon := range b.Daemons {
		log, err := os.ReadFile(daemon.Log)
		require.NoError(t, err)
		require.NotContains(t, string(log), string(b.S3.SecretKey))
	}

	req := b.request(t, secret.Secret("s3://"+in))
	req.Output.URL = "s3://elsewhere/out"
	_, err := b.API.Submit(b.ctx, &req.Request)
	require.ErrorContains(t, err, "body.output.url")
}
