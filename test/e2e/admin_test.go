package e2e

import (
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"weir/internal/devstack"
)

func (b *testBundle) admin(t *testing.T, args ...string) string {
	t.Helper()
	out, err := b.Admin(b.ctx, args...)
	require.NoError(t, err)
	return string(out)
}

// Operators look and act while no daemon is up.
func TestAdminWithoutDaemon(t *testing.T) {
	t.Parallel()
	b := setupOwn(t, func(*devstack.Config) {})
	id := b.submit(t, b.request(t, b.missing(t)))
	transcode := b.ends(t, id)
	require.NoError(t, b.Daemons[0].Terminate())
	require.NoError(t, b.Daemons[0].Wait(b.ctx))

	for _, command := range [][]string{{"transcodes", "list"}, {"transcodes", "show", id}, {"callbacks", "list"}} {
		require.Contains(t, b.admin(t, command...), id)
		require.JSONEq(t, b.admin(t, append(command, "--json")...), b.admin(t, append(command, "--json")...))
		require.Contains(t, b.admin(t, append(command, "--json")...), id)
	}
	require.Contains(t, b.admin(t, "transcodes", "show", id), "object_missing")
	require.Contains(t, b.admin(t, "hosts", "list", "--json"), transcode.Host)
	b.admin(t, "triggers", "list", "--json")
	b.admin(t, "db", "status")

	b.receiver.NewRun(id)
	b.admin(t, "transcodes", "retry", id)
	require.NoError(t, b.Daemons[0].Restart(b.ctx))
	await(t, b.ctx, "the end of the new run", func() bool {
		return b.ends(t, id).Callback.ID != transcode.Callback.ID
	})
}

// A retry does what is not done, and leaves what is.
func TestAdminRetry(t *testing.T) {
	t.Parallel()
	b := setup(t)
	door := b.startDoor(t, "b-160x96.ts", true)
	source, facts := b.source(t, plain())
	req := b.request(t, source, sized("a", 160, 96), sized("b", 160, 96))
	req.Output = door.output(t, b)
	id := b.submit(t, req)
	failed := b.fails(t, id, failure{"s3_credentials_refused", "store", "storage", false})
	require.Equal(t, "ok", failed.Renditions[0].State)
	require.Equal(t, "failed", failed.Renditions[1].State)
	written := b.writtenAt(t, failed.Renditions[0])

	door.open()
	b.receiver.NewRun(id)
	b.admin(t, "transcodes", "retry", id)
	b.awaitTranscode(t, id, func(transcode *devstack.Transcode) bool { return transcode.State == "succeeded" })
	again := b.succeeds(t, id, facts)
	require.Equal(t, 2, again.Attempt)
	require.NotEqual(t, failed.Callback.ID, again.Callback.ID, "a new run has a callback of its own")
	require.Equal(t, failed.Renditions[0], again.Renditions[0])
	require.Equal(t, written, b.writtenAt(t, again.Renditions[0]))
}

func (b *testBundle) writtenAt(t *testing.T, rendition devstack.Rendition) time.Time {
	t.Helper()
	key := b.key(t, rendition.Location)
	head, err := b.S3.Client().HeadObject(b.ctx, &s3.HeadObjectInput{Bucket: &b.Bucket, Key: &key})
	require.NoError(t, err)
	return *head.LastModified
}

// What is delivered again is the same event, and nothing else happens.
func TestAdminRedeliver(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.receiver.SetMode(devstack.Mode{Status: http.StatusNotFound})
	id := b.submit(t, b.request(t, b.missing(t)))
	refused := b.awaitTranscode(t, id, func(transcode *devstack.Transcode) bool {
		return transcode.Callback != nil && transcode.Callback.State == "refused"
	})
	const rowOf = "SELECT (to_jsonb(t) - 'telling_until' - 'updated_at')::text FROM weir.transcodes t WHERE id = $1"
	row := b.lines(t, rowOf, id)
	b.receiver.SetMode(devstack.Mode{})
	b.admin(t, "callbacks", "redeliver", refused.Callback.ID)
	callback, err := b.receiver.WaitAccepted(b.ctx, id)
	require.NoError(t, err)
	require.Equal(t, refused.Callback.ID, callback.EventID)
	transcode := b.fails(t, id, failure{"object_missing", "fetch", "input", false})
	require.Equal(t, 2, transcode.Callback.Attempts)
	require.Equal(t, row, b.lines(t, rowOf, id))
}
