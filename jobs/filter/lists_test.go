package filter_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"weir/jobs"
	"weir/jobs/filter"
	"weir/jobs/jobstest"
)

// found are the ids that a filter means, as a list shows them and as they are counted.
func found(t *testing.T, b *jobstest.Bundle, text string) (ids []uuid.UUID) {
	t.Helper()
	f, err := filter.Parse(text)
	require.NoError(t, err)
	now, err := b.Transcodes.Now(t.Context())
	require.NoError(t, err)
	lists, err := f.Lists(now)
	require.NoError(t, err)
	for i := range lists {
		lists[i].Limit = 100
	}
	page, err := b.Transcodes.ListAny(t.Context(), lists)
	require.NoError(t, err)
	for i := range page {
		ids = append(ids, page[i].Transcode.ID)
	}
	counted, err := jobs.CountAny(t.Context(), b.Pool, lists, 100)
	require.NoError(t, err)
	require.Len(t, ids, int(counted), text)
	return ids
}

// Each word means what it says, several of one key any of them, different ones all of them.
func TestLists(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	accept := func(tenant, externalID string, labels map[string]string) uuid.UUID {
		req := jobstest.MakeRequest(externalID, "a")
		req.Tenant, req.Labels = tenant, labels
		req.CallbackShown = "https://Hooks.example.com:8443/" + externalID
		return b.AcceptRequest(t, req).ID
	}
	one := accept("acme", "1", map[string]string{"customer": "x", "size": "big"})
	two := accept("acme", "2 b", map[string]string{"customer": "y", "size": "big"})
	three := accept("other", "3", nil)
	four := accept("acme", "4", nil)
	b.Exec(t, `UPDATE weir.transcodes SET created_at = now() - interval '3 hours' WHERE id = $1`, one)
	b.Exec(t, `UPDATE weir.transcode_labels SET created_at = now() - interval '3 hours' WHERE transcode_id = $1`, one)
	b.Start(t, two)
	b.Exec(t, `UPDATE weir.attempts SET broadcaster = 'http://b:8935' WHERE transcode_id = $1`, two)
	b.Fail(t, two, 1, "a", jobs.Failed("source_no_video", jobs.StageProbe, ""))
	require.Equal(t, jobs.StateFailed, b.Get(t, two).State)
	_, err := b.Transcodes.Cancel(t.Context(), "", three)
	require.NoError(t, err)
	b.Exec(t, `UPDATE weir.transcodes SET finished_at = now() - interval '2 hours' WHERE id = $1`, three)
	b.Exec(t, `UPDATE weir.callbacks SET state = 'refused' WHERE transcode_id = $1`, three)

	for text, want := range map[string][]uuid.UUID{
		"":                                              {four, three, two, one},
		"tenant:acme":                                   {four, two, one},
		"tenant:acme tenant:other":                      {four, three, two, one},
		"tenant:nobody":                                 nil,
		"state:failed":                                  {two},
		"state:failed state:cancelled":                  {three, two},
		"state:failed tenant:other":                     nil,
		"state:queued":                                  {four, one},
		"code:source_no_video":                          {two},
		"code:cancelled code:internal":                  {three},
		"host:" + jobstest.Host:                         {two},
		"host:none host:" + jobstest.Host:               {two},
		`external_id:"2 b" external_id:3`:               {three, two},
		"tenant:acme label:customer=x":                  {one},
		"tenant:acme label:customer=x label:customer=y": {two, one},
		"tenant:acme label:size=big label:customer=y":   {two},
		"tenant:acme tenant:other label:size=big":       {two, one},
		"tenant:acme label:size=big state:failed state:queued label:customer=x age>2h": {one},
		"age>2h":                           {one},
		"age<2h":                           {four, three, two},
		"age>2h age<4h":                    {one},
		"ended<1h":                         {two},
		"ended>1h":                         {three},
		"ended<3h ended>1h":                {three},
		"broadcaster:http://b:8935 age<1d": {two},
		"broadcaster:http://c:8935 age<1d": nil,
		"callback:refused ended<1d":        {three},
		"callback:pending callback:refused ended<1d":                                              {three, two},
		"destination:HOOKS.example.com:8443 age<1d":                                               {four, three, two, one},
		"destination:example.com age<1d":                                                          nil,
		"tenant:acme label:size=big callback:pending ended<1h destination:hooks.example.com:8443": {two},
	} {
		require.Equal(t, want, found(t, b, text), text)
	}
}

// What would have to look at everything is refused, with what to add.
func TestListsRefused(t *testing.T) {
	t.Parallel()
	for text, says := range map[string]string{
		"label:a=b":            "tenant:",
		"callback:refused":     "age<",
		"destination:h age>1d": "ended<",
		"broadcaster:b":        "age<",
		"tenant:a tenant:b tenant:c state:queued state:placed state:running state:storing state:succeeded state:failed host:a host:b host:c": "50",
	} {
		f, err := filter.Parse(text)
		require.NoError(t, err)
		_, err = f.Lists(time.Now())
		require.ErrorContains(t, err, says, text)
	}
}

// Pages of several lists follow each other as those of one do.
func TestListsPaged(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	for i := range 6 {
		req := jobstest.MakeRequest("", "a")
		req.Tenant = []string{"a", "b"}[i%2]
		b.AcceptRequest(t, req)
	}
	b.Exec(t, `UPDATE weir.transcodes SET created_at = '2020-01-01Z' WHERE tenant = 'a'`) // at one instant
	f, err := filter.Parse("tenant:a tenant:b")
	require.NoError(t, err)
	lists, err := f.Lists(time.Time{})
	require.NoError(t, err)
	var all []uuid.UUID
	for more := true; more; {
		for i := range lists {
			lists[i].Limit = 2
		}
		page, err := b.Transcodes.ListAny(t.Context(), lists)
		require.NoError(t, err)
		more = len(page) > 0
		for j := range page {
			last := page[j].Transcode
			require.NotContains(t, all, last.ID)
			all = append(all, last.ID)
			for i := range lists {
				lists[i].BeforeAt, lists[i].BeforeID = &last.CreatedAt, &last.ID
			}
		}
	}
	require.Len(t, all, 6)
}
