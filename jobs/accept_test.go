package jobs_test

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"weir/jobs"
	"weir/jobs/jobstest"
)

// TestAcceptTogether: what comes at once goes in one transaction, but for what repeats or
// replaces something, which is left to a transaction of its own.
func TestAcceptTogether(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	b.AcceptRequest(t, jobstest.MakeRequest("used", "360p"))
	b.AcceptRequest(t, taskRequest("0"))
	b.AcceptRequest(t, taskRequest("1"))
	b.Exec(t, "UPDATE weir.transcodes SET external_id = 'another' WHERE external_id = 'task-1'") // its name was free again
	b.Exec(t, `INSERT INTO weir.inbox (id, tenant, external_id, body, digest, job_id) VALUES (gen_random_uuid(), 'studio', 'by-sql', '{}', '\x00', 1)`)

	elsewhere := jobstest.MakeRequest("used", "720p")
	elsewhere.Tenant = "another"
	packaged := jobstest.MakeRequest("packaged")
	packaged.Outputs = []jobs.Output{{Type: jobs.OutputHLS, URL: packaged.OutputURL, Shown: packaged.OutputShown}}
	fresh := []*jobs.Request{
		jobstest.MakeRequest("", "720p", "360p"), jobstest.MakeRequest("", "360p"), jobstest.MakeRequest("fresh", "360p"), elsewhere, packaged,
	}
	again := []*jobs.Request{
		jobstest.MakeRequest("used", "360p"), jobstest.MakeRequest("fresh", "360p"), taskRequest("2"), jobstest.MakeRequest("by-sql", "360p"),
	}
	accepted, err := b.Transcodes.AcceptTogether(t.Context(), append(fresh, again...))
	require.NoError(t, err)
	transactions := map[string]bool{}
	for i, req := range fresh {
		got := accepted[i]
		require.NotNil(t, got, "%d", i)
		require.Equal(t, req.Tenant, got.Tenant)
		require.Equal(t, len(req.Profiles) == 0, got.Ladder)
		detail, err := b.Transcodes.Get(t.Context(), req.Tenant, got.ID)
		require.NoError(t, err)
		require.Len(t, detail.Renditions, len(req.Profiles))
		for j, r := range detail.Renditions {
			require.Equal(t, req.Profiles[j].Name, r.Name)
		}
		require.Len(t, detail.Outputs, len(req.Outputs))
		source, err := jobs.SealedSource.Open(b.Sealer, got.ID, got.SourceSealed)
		require.NoError(t, err)
		require.Equal(t, req.SourceURL, source)
		var transaction string
		require.NoError(t, b.Pool.QueryRow(t.Context(), "SELECT xmin::text FROM weir.transcodes WHERE id = $1", got.ID).Scan(&transaction))
		transactions[transaction] = true
	}
	require.Len(t, transactions, 1)
	for i := range again {
		require.Nil(t, accepted[len(fresh)+i], "%d", i)
	}
}

// TestAcceptedStands: who is tried again, as the connection was lost behind the commit, is the
// one that stands, with its external_id or without.
func TestAcceptedStands(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	packaged := jobstest.MakeRequest("packaged", "360p")
	packaged.Outputs = []jobs.Output{{Type: jobs.OutputHLS, URL: packaged.OutputURL, Shown: packaged.OutputShown}}
	first, again, err := b.Transcodes.AcceptTwice(t.Context(), []*jobs.Request{
		jobstest.MakeRequest("", "720p", "360p"), jobstest.MakeRequest("named", "360p"), packaged,
	})
	require.NoError(t, err)
	require.Equal(t, first, again)
	for _, got := range first {
		require.NotNil(t, got)
	}
	require.Equal(t, 3, b.Count(t, "SELECT count(*) FROM weir.transcodes"))
	require.Equal(t, 4, b.Count(t, "SELECT count(*) FROM weir.renditions"))
	require.Equal(t, 1, b.Count(t, "SELECT count(*) FROM weir.outputs"))
}

// TestAcceptBesideFaulty: nothing is accepted with one that the schema refuses; and what comes
// beside it is accepted all the same.
func TestAcceptBesideFaulty(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	faulty := jobstest.MakeRequest("faulty", "360p")
	faulty.Labels = map[string]string{"k": strings.Repeat("v", 1<<15)}
	good := jobstest.MakeRequest("good", "360p")
	_, err := b.Transcodes.AcceptTogether(t.Context(), []*jobs.Request{good, faulty})
	require.ErrorContains(t, err, "transcodes_labels_bounded")
	count := func() (n int) {
		require.NoError(t, b.Pool.QueryRow(t.Context(), "SELECT count(*) FROM weir.transcodes").Scan(&n))
		return n
	}
	require.Zero(t, count())

	const beside = 20
	var group errgroup.Group
	for i := range beside {
		group.Go(func() error {
			_, _, err := b.Transcodes.Accept(t.Context(), jobstest.MakeRequest(fmt.Sprintf("good-%d", i), "360p"))
			return err
		})
		group.Go(func() error {
			if _, _, err := b.Transcodes.Accept(t.Context(), faulty); err == nil {
				return errors.New("it was accepted")
			}
			return nil
		})
	}
	require.NoError(t, group.Wait())
	require.Equal(t, beside, count())
}

// TestAcceptOnceHoweverOften: of many posts of the same request at the same time one makes a
// transcode, and the others find it.
func TestAcceptOnceHoweverOften(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	const names, times = 5, 8
	var created, refused atomic.Int32
	var group errgroup.Group
	for i := range names * times {
		group.Go(func() error {
			req := jobstest.MakeRequest(fmt.Sprintf("n-%d", i%names), "360p")
			if i < names {
				req.Body = []byte("another")
			}
			got, fresh, err := b.Transcodes.Accept(t.Context(), req)
			switch {
			case errors.Is(err, jobs.ErrConflict):
				refused.Add(1)
				return nil
			case err != nil:
				return err
			case fresh:
				created.Add(1)
			}
			if *got.ExternalID != req.ExternalID {
				return fmt.Errorf("%s came as %s", req.ExternalID, *got.ExternalID)
			}
			return nil
		})
	}
	require.NoError(t, group.Wait())
	require.EqualValues(t, names, created.Load())
	require.Positive(t, refused.Load())
}
