package api_test

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"weir/api"
)

func (b *bundle) list(t *testing.T, token string, query url.Values) (page api.TranscodePage) {
	t.Helper()
	a := b.do(t, token, http.MethodGet, "/v1/transcodes?"+query.Encode(), nil)
	require.Equal(t, http.StatusOK, a.status, a.text)
	a.decode(t, &page)
	return page
}

// fill puts n transcodes of tenant there, a batch of ten in one instant, so that
// pages end between transcodes of the same time.
func (b *bundle) fill(t *testing.T, tenant string, n int) {
	t.Helper()
	_, err := b.pool.Exec(t.Context(), `
		WITH t AS (INSERT INTO weir.transcodes (id, tenant, external_id, form, request, request_digest, source_url, source_sealed,
			output_url, output_sealed, callback_url, callback_sealed, attempts_left, created_at)
		SELECT gen_random_uuid(), $1, 'n-' || i, 'v1', '{}', '', 's3://media/in', '', 's3://media/out', '', 'https://h', '', 3,
			timestamptz '2020-01-01 00:00:00Z' + interval '1 minute' * (i / 10)
		FROM generate_series(1, $2) AS i RETURNING id)
		INSERT INTO weir.renditions (transcode_id, name, ordinal, width, height, bitrate)
		SELECT id, '720p', 0, 1280, 720, 3000000 FROM t`, tenant, n)
	require.NoError(t, err)
}

// TestPages walks 120 transcodes while new ones come in.
func TestPages(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.fill(t, "studio", 120)
	b.fill(t, "other", 30)
	seen := map[uuid.UUID]bool{}
	query := url.Values{"limit": {"7"}}
	var last time.Time
	for pages := 0; ; pages++ {
		page := b.list(t, studio, query)
		for _, item := range page.Items {
			require.False(t, seen[item.ID], "shown twice")
			require.Equal(t, "studio", item.Tenant)
			require.True(t, last.IsZero() || !item.CreatedAt.After(last), "newest first")
			last = item.CreatedAt
			seen[item.ID] = true
		}
		if page.Next == "" {
			require.Equal(t, 17, pages)
			break
		}
		require.Len(t, page.Items, 7)
		b.submit(t, submission()) // newer than all that was shown: not on the pages to come
		query.Set("page", page.Next)
	}
	require.Len(t, seen, 120)
}

func TestFilters(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.fill(t, "studio", 40)
	b.fill(t, "other", 20)
	_, err := b.pool.Exec(t.Context(), `
		INSERT INTO weir.hosts (id, boot_id, slots, lease_until) VALUES ('mist-1', gen_random_uuid(), 4, now());
		UPDATE weir.transcodes SET state = 'placed', host_id = 'mist-1', attempt = 1 WHERE external_id IN ('n-3', 'n-5')`)
	require.NoError(t, err)
	for _, test := range []struct {
		query string
		token string
		want  int
	}{
		{"", studio, 40},
		{"tenant=studio", studio, 40},
		{"", other, 20},
		{"", operator, 60},
		{"tenant=other", operator, 20},
		{"tenant=nobody", operator, 0},
		{"external_id=n-7", studio, 1},
		{"external_id=n-39", other, 0},
		{"state=placed", studio, 2},
		{"state=succeeded", studio, 0},
		{"host=mist-1", operator, 4},
		{"host=mist-2", studio, 0},
		{"filter=state:placed", studio, 2},
		{"filter=state:placed+state:queued+external_id:n-3+external_id:n-7", studio, 2},
		{"filter=tenant:studio", studio, 40},
		{"filter=tenant:studio+tenant:other", operator, 60},
		{"filter=state:placed&tenant=other", operator, 2},
		{"filter=age>1d&host=mist-1", studio, 2},
		{"filter=age<1d", studio, 0},
		{"filter=state:placed&created_to=2020-01-01T00:00:30Z", studio, 2},
		{"created_from=2020-01-01T00:03:00Z", studio, 11},
		{"created_to=2020-01-01T00:01:00Z", studio, 9},
		{"created_from=2020-01-01T01:01:00%2B01:00&created_to=2020-01-01T00:02:00Z&state=queued", studio, 10},
	} {
		t.Run(fmt.Sprint(test.token, test.query), func(t *testing.T) {
			t.Parallel()
			query, err := url.ParseQuery(test.query)
			require.NoError(t, err)
			query.Set("limit", "200")
			require.Len(t, b.list(t, test.token, query).Items, test.want)
		})
	}
	for _, test := range []struct {
		query, token, at, says string
		status                 int
	}{
		{"filter=sate:failed", studio, "query.filter", "state:", http.StatusUnprocessableEntity},
		{"filter=state:nope", studio, "query.filter", "queued, placed", http.StatusUnprocessableEntity},
		{"filter=tenant:other", studio, "query.tenant", "studio", http.StatusForbidden},
		{"filter=state:failed&state=failed", studio, "query.filter", "one of them", http.StatusUnprocessableEntity},
		{"filter=label:a%3Db", operator, "query.filter", "tenant:", http.StatusUnprocessableEntity},
		{"filter=broadcaster:b+age<1d", studio, "query.filter", "operators", http.StatusUnprocessableEntity},
		{"filter=callback:refused", studio, "query.filter", "age<", http.StatusUnprocessableEntity},
	} {
		t.Run("refused "+test.query, func(t *testing.T) {
			t.Parallel()
			p := b.do(t, test.token, http.MethodGet, "/v1/transcodes?"+test.query, nil).problem(t, test.status)
			require.Equal(t, []string{test.at}, p.locations())
			require.Contains(t, p.Errors[0].Message, test.says)
		})
	}
	t.Run("default page", func(t *testing.T) {
		t.Parallel()
		page := b.list(t, operator, url.Values{})
		require.Len(t, page.Items, 50)
		require.NotEmpty(t, page.Next)
	})
	t.Run("empty", func(t *testing.T) {
		t.Parallel()
		a := b.do(t, studio, http.MethodGet, "/v1/transcodes?state=failed", nil)
		require.JSONEq(t, `{"items":[]}`, a.text)
	})
}
