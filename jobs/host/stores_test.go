package host

import (
	"testing"

	"github.com/stretchr/testify/require"

	"weir/db/dbsqlc"
	"weir/jobs"
	"weir/jobs/jobstest"
	"weir/jobs/tenants"
	"weir/secret"
	"weir/storage"
)

// s3:// leads to the tenant's store as it is when it is used: to its new keys, nowhere
// without it, and never to another tenant's.
func TestStoresAreResolvedAtUse(t *testing.T) {
	t.Parallel()
	b, bucket := jobstest.New(t), newBucket(t)
	h := newHost(t, b, &storage.Config{MaxAttempts: 1})
	stores := &tenants.Stores{DB: b.Pool, Sealer: b.Sealer}
	set := func(tenant string, key secret.Secret) {
		require.NoError(t, stores.Set(t.Context(), &tenants.Store{
			Tenant: tenant, Name: "main", Endpoint: bucket.Endpoint, Region: bucket.Region, PathStyle: true,
			AccessKey: bucket.AccessKey, SecretKey: key, Allowed: []string{bucket.name + "/in", bucket.name + "/out"},
			MayRead: true, MayWrite: true, SetBy: "a test",
		}))
	}
	set("studio", "a-former-key")
	set("other", bucket.SecretKey)
	bucket.put(t, "in/a.mp4", "of the bucket")
	request := func(tenant, source string) dbsqlc.Transcode {
		req := jobstest.MakeRequest("", "a")
		req.Tenant, req.SourceURL, req.OutputURL = tenant, source, "s3://main@"+bucket.name+"/out"
		return b.AcceptRequest(t, req)
	}
	fetch := func(transcode dbsqlc.Transcode) *jobs.Failure {
		b.Place(t, transcode.ID, jobstest.Host)
		s := takeUp(t, b, h, transcode.ID)
		rows, err := s.load(t.Context())
		require.NoError(t, err)
		if err := s.fetch(t.Context(), &rows); err != nil {
			return jobs.FailureOf(err, jobs.StageFetch)
		}
		return nil
	}
	in := "s3://main@" + bucket.name + "/in/a.mp4"
	require.Equal(t, string(storage.CodeCredentialsRefused), fetch(request("studio", in)).Code)
	open := request("studio", in)
	set("studio", bucket.SecretKey)
	require.Nil(t, fetch(open), "accepted before its store has the new key")
	location, err := h.objectLocation(t.Context(), &open, "a", 1)
	require.NoError(t, err)
	require.Equal(t, bucket.Endpoint+"/"+bucket.name, location.Destination())
	require.NotContains(t, location.String(), bucket.Endpoint)
	require.NoError(t, h.Storage.TryWrite(t.Context(), location.Folder(), location))

	require.Equal(t, jobs.CodeStoreUnknown, fetch(request("studio", "s3://main@"+bucket.name+"/inside/a.mp4")).Code)
	require.Equal(t, jobs.CodeStoreUnknown, fetch(request("nobody", in)).Code)
	require.NoError(t, stores.Remove(t.Context(), "studio", "main"))
	_, err = h.objectLocation(t.Context(), &open, "a", 1)
	require.True(t, patientWith(err), "a store waits for an operator: %v", err)
	_, err = h.locate(t.Context(), &open, jobs.SealedSource, open.SourceSealed, tenants.Read)
	require.Equal(t, jobs.CodeStoreUnknown, jobs.FailureOf(err, jobs.StageFetch).Code)

	// What was sealed for one tenant opens for no other.
	b.Exec(t, "INSERT INTO weir.stores SELECT (jsonb_populate_record(s, '{\"tenant\": \"studio\"}')).* FROM weir.stores s WHERE tenant = 'other'")
	_, err = h.locate(t.Context(), &open, jobs.SealedSource, open.SourceSealed, tenants.Read)
	require.ErrorContains(t, err, tenants.ErrKeys.Error())
	for _, column := range []string{"to_jsonb(s)::text", "encode(keys_sealed, 'escape')"} {
		require.Zero(t, b.Count(t, "SELECT count(*) FROM weir.stores s WHERE strpos("+column+", $1) > 0", string(bucket.SecretKey)))
	}
}

// A tenant's share of the spool is its row's.
func TestSpoolShareOfTheRow(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	share := func() int64 {
		percent, err := tenants.SpoolPercent(t.Context(), b.Pool, "studio")
		require.NoError(t, err)
		return percent
	}
	require.EqualValues(t, 50, share())
	b.Exec(t, "INSERT INTO weir.tenants (name, spool_percent) VALUES ('studio', 5)")
	require.EqualValues(t, 5, share())
}
