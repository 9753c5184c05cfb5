package host

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"weir/db/dbsqlc"
	"weir/engine"
	"weir/jobs"
	"weir/jobs/jobstest"

	"weir/storage"
)

// What lies at the source's location may be another file for a later attempt, or for an
// operator's retry. Renditions of two sources are never mixed.
func TestRenditionsAreOfOneSource(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		failed   string
		retried  bool
		replaced bool
		stays    bool
	}{
		{"next attempt, the same source", jobs.CodePushFailed, false, false, true},
		{"next attempt, another source", jobs.CodePushFailed, false, true, false},
		{"retry, the same source", jobs.CodeSecretUnreadable, true, false, true},
		{"retry, another source", jobs.CodeSecretUnreadable, true, true, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b, bucket, q := jobstest.New(t), newBucket(t), dbsqlc.New()
			h := newHost(t, b, &storage.Config{})
			req := jobstest.MakeRequest("", "a", "b")
			req.SourceURL, req.OutputURL = bucket.at(t, bucket.Endpoint, "in.mp4"), bucket.at(t, bucket.Endpoint, "out")
			bucket.put(t, "in.mp4", "one")
			transcode := b.Place(t, b.AcceptRequest(t, req).ID, jobstest.Host)
			fetched(t, b, h, transcode.ID)
			pushed(t, b, &transcode, "a")
			require.NoError(t, b.Store(t.Context(), &transcode, "a"))
			b.Fail(t, transcode.ID, 1, "b", jobs.Failed(test.failed, jobs.StageStore, "x"))
			if test.retried {
				require.Equal(t, jobs.StateFailed, b.Get(t, transcode.ID).State)
				_, err := b.Transcodes.Retry(t.Context(), transcode.ID)
				require.NoError(t, err)
			}

			if test.replaced {
				bucket.put(t, "in.mp4", "two")
			}
			transcode = b.Place(t, transcode.ID, jobstest.Host)
			fetched(t, b, h, transcode.ID)
			b.Exec(t, `UPDATE weir.transcodes SET source = '{"bytes": 3}', source_duration_ms = 20000 WHERE id = $1`, transcode.ID)

			r, err := q.RenditionGet(t.Context(), b.Pool, dbsqlc.RenditionGetParams{TranscodeID: transcode.ID, Name: "a"})
			require.NoError(t, err)
			if test.stays {
				require.Equal(t, jobs.RenditionOK, r.State)
				require.EqualValues(t, 1, r.Attempt)
				return
			}
			require.Equal(t, jobs.RenditionExpected, r.State)
			require.EqualValues(t, 2, r.Attempt)
			require.Nil(t, r.ObjectURL)
			for _, name := range []string{"a", "b"} {
				pushed(t, b, &transcode, name)
				require.NoError(t, b.Store(t.Context(), &transcode, name))
			}
			require.Equal(t, jobs.StateSucceeded, b.Get(t, transcode.ID).State)
			require.Positive(t, b.Count(t, "SELECT count(*) FROM weir.river_job WHERE kind = 'residue'"), "the first source's object goes")
		})
	}
}

// pushed brings a rendition of the newest attempt to where it can be stored.
func pushed(t *testing.T, b *jobstest.Bundle, transcode *dbsqlc.Transcode, name string) {
	t.Helper()
	q := dbsqlc.New()
	require.NoError(t, q.RenditionPlan(t.Context(), b.Pool, dbsqlc.RenditionPlanParams{
		TranscodeID: transcode.ID, Attempt: transcode.Attempt, Names: []string{name}, Widths: []int32{640}, Heights: []int32{360},
	}))
	changed, err := q.RenditionSetPushed(t.Context(), b.Pool, dbsqlc.RenditionSetPushedParams{
		TranscodeID: transcode.ID, Name: name, Attempt: transcode.Attempt,
	})
	require.NoError(t, err)
	require.EqualValues(t, 1, changed)
}

// Files that wait for a tenant's storage leave room for others.
func TestTenantsShareTheSpool(t *testing.T) {
	t.Parallel()
	b, bucket := jobstest.New(t), newBucket(t)
	bucket.put(t, "in.mp4", "one")
	h := newHost(t, b, &storage.Config{})
	waiting := storing(t, b, bucket, bucket.Endpoint, "a")
	path := h.finishedPath(engine.Name{Transcode: waiting.ID, Attempt: 1}, "a")
	require.NoError(t, os.MkdirAll(filepath.Dir(path), spoolMode))
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	for _, test := range []struct {
		tenant string
		held   int64
		code   string
	}{
		{waiting.Tenant, 1 << 40, jobs.CodeSpoolShare}, // more than is free where tests run
		{waiting.Tenant, 1 << 10, ""},
		{"another", 1 << 40, ""},
	} {
		require.NoError(t, os.Truncate(path, test.held))
		req := jobstest.MakeRequest("", "a")
		req.Tenant = test.tenant
		req.SourceURL, req.OutputURL = bucket.at(t, bucket.Endpoint, "in.mp4"), bucket.at(t, bucket.Endpoint, "out")
		transcode := b.Place(t, b.AcceptRequest(t, req).ID, jobstest.Host)
		s := takeUp(t, b, h, transcode.ID)
		rows, err := s.load(t.Context())
		require.NoError(t, err)
		if err := s.fetch(t.Context(), &rows); test.code != "" {
			require.Equal(t, test.code, jobs.FailureOf(err, jobs.StageFetch).Code)
		} else {
			require.NoError(t, err)
		}
	}
}
