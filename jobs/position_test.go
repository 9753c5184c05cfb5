package jobs_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"weir/jobs"
	"weir/jobs/jobstest"
)

// Where one stands: behind those of its tenant that came before, and behind everybody's.
func TestPositions(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	of := func(tenant string) string {
		req := jobstest.MakeRequest("", "a")
		req.Tenant = tenant
		return b.AcceptRequest(t, req).ID.String()
	}
	ids := []string{of("studio"), of("other"), of("studio"), of("other")}
	placed := b.Start(t, b.Accept(t, "a").ID)
	page, err := b.Transcodes.List(t.Context(), jobs.Filter{Limit: 10})
	require.NoError(t, err)
	stand := map[string]jobs.Position{}
	for _, d := range page {
		if d.Transcode.ID == placed.ID {
			require.Nil(t, d.Position)
			continue
		}
		stand[d.Transcode.ID.String()] = *d.Position
	}
	require.Equal(t, map[string]jobs.Position{ids[0]: {Own: 1, Everybodys: 1}, ids[1]: {Own: 1, Everybodys: 2}, ids[2]: {Own: 2, Everybodys: 3}, ids[3]: {Own: 2, Everybodys: 4}}, stand)
}

// Behind a hundred thousand nobody is counted.
func TestPositionsAreCapped(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	b.Exec(t, `SET session_replication_role = replica;
		INSERT INTO weir.transcodes (id, tenant, form, request, request_digest, source_url, source_sealed, output_url, output_sealed,
		       callback_url, callback_sealed, attempts_left, created_at)
		SELECT gen_random_uuid(), 'flood', 'v1', '{}', '', '', '', '', '', '', '', 2, now() - interval '1 hour' + n * interval '1 ms'
		  FROM generate_series(1, 100000) n; RESET session_replication_role; ANALYZE weir.transcodes`)
	mine := b.Accept(t, "a")
	detail, err := b.Transcodes.Get(t.Context(), "studio", mine.ID)
	require.NoError(t, err)
	require.Equal(t, &jobs.Position{Own: 1}, detail.Position)
}
