package e2e

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"
)

// TestDryRun: what would go well is told so, from a look at the source and a write at the
// output, and nothing stays of it.
func TestDryRun(t *testing.T) {
	t.Parallel()
	b := setup(t)
	source, facts := b.source(t, plain())
	answer, err := b.API.Do(b.ctx, http.MethodPost, "/v1/transcodes?dry_run=true", b.request(t, source, sized("small", 160, 90)))
	require.NoError(t, err)
	var told struct {
		OK     bool
		Source struct {
			Width, Height int
			Probed        bool
		}
		Output struct{ Writable bool }
	}
	require.NoError(t, json.Unmarshal(answer, &told))
	require.True(t, told.OK, "%s", answer)
	require.True(t, told.Source.Probed)
	require.True(t, told.Output.Writable)
	require.Equal(t, []int{facts.Width, facts.Height}, []int{told.Source.Width, told.Source.Height})

	folder := b.prefix + "/out"
	objects, err := b.S3.Client().ListObjectsV2(b.ctx, &s3.ListObjectsV2Input{Bucket: &b.Bucket, Prefix: &folder})
	require.NoError(t, err)
	require.Empty(t, objects.Contents)
	require.Empty(t, b.lines(t, "SELECT id::text FROM weir.transcodes WHERE output_url LIKE '%' || $1 || '%'", b.prefix))
}
