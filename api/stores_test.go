package api_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"weir/jobs"
)

// Where s3:// leads is settled when a request is accepted, by the tenant's stores alone.
func TestStores(t *testing.T) {
	t.Parallel()
	b := setup(t)
	exec := func(sql string) {
		_, err := b.pool.Exec(t.Context(), sql)
		require.NoError(t, err)
	}
	exec("DELETE FROM weir.stores")
	exec(`INSERT INTO weir.stores (tenant, name, endpoint, region, path_style, allowed, may_read, may_write, set_by) VALUES
		('other',  'theirs', '', '', true, '{*}',         true, true,  'a test'),
		('studio', 'wide',   '', '', true, '{media}',     true, false, 'a test'),
		('studio', 'out',    '', '', true, '{media/out}', true, true,  'a test')`)

	accepted := b.submit(t, submission())
	require.Equal(t, "s3://media/in/clip.mp4", accepted.Source.Location)
	row, err := b.jobs.Get(t.Context(), "studio", accepted.ID)
	require.NoError(t, err)
	for column, leads := range map[jobs.Sealed]struct {
		value []byte
		to    string
	}{
		jobs.SealedSource: {row.Transcode.SourceSealed, "s3://wide@media/in/clip.mp4"},
		jobs.SealedOutput: {row.Transcode.OutputSealed, "s3://out@media/out/clip"},
	} {
		url, err := column.Open(sealer(t), accepted.ID, leads.value)
		require.NoError(t, err)
		require.Equal(t, leads.to, url)
	}

	for _, test := range []struct {
		name, source, output, at, says string
	}{
		{"a bucket that none allows", "s3://elsewhere/a.mp4", "s3://media/out", "body.source.url", "its stores: out, wide"},
		{"a prefix that none allows", "s3://media/a.mp4", "s3://media/outside", "body.output.url", "may be written there"},
		{"a store for sources alone", "s3://media/a.mp4", "s3://wide@media/out", "body.output.url", "is named so"},
		{"a store that there is not", "s3://no@media/a.mp4", "s3://media/out", "body.source.url", "is named so"},
		{"another tenant's store", "s3://theirs@media/a.mp4", "s3://media/out", "body.source.url", "its stores: out, wide"},
		{"an access key", "s3://AKIA1234@media/a.mp4", "s3://media/out", "body.source.url", "no store's name"},
	} {
		body := submission()
		body["source"], body["output"] = object{"url": test.source}, object{"url": test.output}
		p := b.do(t, studio, http.MethodPost, "/v1/transcodes", body).problem(t, http.StatusUnprocessableEntity)
		require.Equal(t, []string{test.at}, p.locations(), test.name)
		require.Contains(t, p.Errors[0].Message, test.says, test.name)
		require.NotContains(t, p.Errors[0].Message, "theirs", test.name)
	}

	// Of Studio's form too the field is told that names the place.
	vod := vodSubmission()
	vod["url"] = "s3://media/a.mp4"
	places := vod["output_locations"].([]any)
	for _, place := range places {
		place.(object)["url"] = "s3://media/out/pb"
	}
	places[1].(object)["url"] = "s3://elsewhere/pb"
	refused := b.do(t, studio, http.MethodPost, vodPath, vod).vodRefusal(t, http.StatusBadRequest)
	require.Contains(t, refused.Detail, "output_locations[1].url: no store of this tenant may be written there")
	require.NotContains(t, refused.Detail, "[0]")

	exec("DELETE FROM weir.stores WHERE tenant = 'studio'")
	p := b.do(t, studio, http.MethodPost, "/api/transcode/file", fileSubmission()).problem(t, http.StatusUnprocessableEntity)
	require.Equal(t, []string{"body.source_location", "body.source_location"}[:len(p.Errors)], p.locations())
	require.Contains(t, p.Errors[0].Message, "it has none")
}
