package web

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"weir/jobs"
	"weir/jobs/jobstest"
	"weir/web/login"
)

// Nobody sees anything without a login, and a viewer changes nothing: by whatever request,
// on whatever route there is.
func TestRoutes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.Accept(t, "a")
	stranger, viewer := b.visitor(t), b.logged(t, vera, b.viewer)
	rows := "SELECT count(*) FROM weir.transcodes WHERE state = 'queued' AND priority = 5"
	changing := 0
	for pattern, who := range b.pages.routes {
		method, path, _ := strings.Cut(pattern, " ")
		if path == "" { // of any method
			method, path = http.MethodPut, pattern
		}
		var id string
		require.NoError(t, b.Pool.QueryRow(t.Context(), "SELECT id FROM weir.transcodes").Scan(&id))
		path = strings.NewReplacer("{id}", id, "{host}", jobstest.Host, "{tenant}", "studio", "{$}", "", "{name}", "weir.css", "{file...}", "x", "{rest...}", "x").Replace(path)
		form := url.Values{"reason": {"because"}, "priority": {"0"}}
		if who == anybody {
			continue
		}
		answer, _ := stranger.ask(t, method, path, form, http.Header{"Sec-Fetch-Site": {"same-origin"}})
		require.Contains(t, []int{http.StatusUnauthorized, http.StatusSeeOther}, answer.StatusCode, pattern)
		if answer.StatusCode == http.StatusSeeOther {
			require.True(t, strings.HasPrefix(answer.Header.Get("Location"), "/login?next="), pattern)
		}
		if who != operators {
			require.True(t, method == http.MethodGet || method == http.MethodPut || path == "/logout", "%s changes something, and is not for operators alone", pattern)
			continue
		}
		changing++
		answer, body := viewer.ask(t, method, path, form, http.Header{"Sec-Fetch-Site": {"same-origin"}})
		require.Equal(t, http.StatusForbidden, answer.StatusCode, pattern)
		require.Contains(t, body, "is a viewer", pattern)
	}
	require.GreaterOrEqual(t, changing, 10)
	require.Equal(t, 1, b.Count(t, rows))
	require.Zero(t, b.changes(t))
	require.Zero(t, b.Count(t, "SELECT count(*) FROM weir.hosts WHERE draining"))
}

func TestLogin(t *testing.T) {
	t.Parallel()
	b := setup(t)
	v := b.visitor(t)
	for _, wrong := range []url.Values{
		{"name": {olga}, "token": {"wrong"}}, {"name": {"nobody"}, "token": {string(b.operator)}}, {"name": {vera}, "token": {string(b.operator)}}, {},
	} {
		answer, body := v.post(t, "/login", wrong)
		require.Equal(t, http.StatusUnauthorized, answer.StatusCode)
		require.Contains(t, body, "do not belong together")
		require.Empty(t, answer.Cookies())
	}
	answer, _ := v.post(t, "/login", url.Values{"name": {olga}, "token": {string(b.operator)}, "next": {"//evil.example/"}})
	require.Equal(t, "/", answer.Header.Get("Location"), "no other site")
	cookies := answer.Cookies()
	require.Len(t, cookies, 1)
	require.True(t, cookies[0].HttpOnly)
	require.Equal(t, http.SameSiteStrictMode, cookies[0].SameSite)
	require.False(t, cookies[0].Secure, "the address is no https")
	require.Zero(t, b.Count(t, "SELECT count(*) FROM weir.web_sessions s WHERE encode(s.id_hash, 'escape') LIKE '%' || $1 || '%'", cookies[0].Value))
	answer, body := v.get(t, "/")
	require.Equal(t, http.StatusOK, answer.StatusCode)
	require.Contains(t, body, "olga, operator")
	require.Contains(t, answer.Header.Get("Content-Security-Policy"), "script-src 'self'")

	// Logging out ends the session, for whoever has the cookie.
	answer, _ = v.post(t, "/logout", url.Values{})
	require.Equal(t, http.StatusSeeOther, answer.StatusCode)
	answer, _ = v.ask(t, http.MethodGet, "/", nil, http.Header{"Cookie": {cookies[0].Name + "=" + cookies[0].Value}})
	require.Equal(t, "/login?next=%2F", answer.Header.Get("Location"))
}

// Guessing is slowed down, whatever is guessed.
func TestLoginTooOften(t *testing.T) {
	t.Parallel()
	b := setup(t)
	v := b.visitor(t)
	for range 30 {
		answer, _ := v.post(t, "/login", url.Values{"name": {"nobody"}, "token": {"x"}})
		if answer.StatusCode == http.StatusTooManyRequests {
			require.NotEmpty(t, answer.Header.Get("Retry-After"))
			answer, _ = v.post(t, "/login", url.Values{"name": {olga}, "token": {string(b.operator)}})
			require.Equal(t, http.StatusTooManyRequests, answer.StatusCode)
			return
		}
		require.Equal(t, http.StatusUnauthorized, answer.StatusCode)
	}
	require.FailNow(t, "thirty tries were answered")
}

// A session ends with time, and with its user's setting.
func TestSessionEnds(t *testing.T) {
	t.Parallel()
	b := setup(t)
	in := func(v *visitor) bool {
		answer, _ := v.get(t, "/hosts")
		return answer.StatusCode == http.StatusOK
	}
	first, second := b.logged(t, olga, b.operator), b.logged(t, vera, b.viewer)
	require.True(t, in(first))
	b.Exec(t, "UPDATE weir.web_sessions SET seen_at = now() - interval '2 min', expires_at = now() + interval '1 min'")
	require.True(t, in(first), "it slides")
	require.Equal(t, 1, b.Count(t, "SELECT count(*) FROM weir.web_sessions WHERE expires_at > now() + interval '1 hour'"))
	b.Exec(t, "UPDATE weir.web_sessions SET created_at = now() - interval '8 days' WHERE user_name = $1", olga)
	require.False(t, in(first), "it is too old")
	require.True(t, in(second))
	b.Exec(t, "UPDATE weir.web_sessions SET expires_at = now() - interval '1 s'")
	require.False(t, in(second), "it has expired")

	third, fourth := b.logged(t, olga, b.operator), b.logged(t, vera, b.viewer)
	_, other, err := login.Make(olga, login.Operator)
	require.NoError(t, err)
	_, added, err := login.Make("new", login.Viewer)
	require.NoError(t, err)
	users, err := login.ParseUsers(other + "," + added)
	require.NoError(t, err)
	b.pages.sessions.Users = users
	require.False(t, in(third), "she has another token")
	require.False(t, in(fourth), "she is no user any more")
}

// What another site's page sends changes nothing, whoever is logged in.
func TestCrossSite(t *testing.T) {
	t.Parallel()
	b := setup(t)
	operator := b.logged(t, olga, b.operator)
	id := b.Accept(t, "a").ID
	form := url.Values{"reason": {"because"}}
	for _, headers := range []http.Header{{"Sec-Fetch-Site": {"cross-site"}}, {"Sec-Fetch-Site": {"same-site"}}, {"Origin": {"https://evil.example"}}, {"Origin": {"null"}}} {
		answer, _ := operator.ask(t, http.MethodPost, "/transcodes/"+id.String()+"/cancel", form, headers)
		require.Equal(t, http.StatusForbidden, answer.StatusCode, "%v", headers)
	}
	require.Equal(t, jobs.StateQueued, b.Get(t, id).State)
}

// A proxy's word counts where it comes from the proxy, for users that there are.
func TestTrustedHeader(t *testing.T) {
	t.Parallel()
	const header = "X-Forwarded-User"
	for name, tc := range map[string]struct {
		from   string
		values []string
		status int
	}{
		"the proxy":        {"127.0.0.1/32", []string{vera}, http.StatusOK},
		"of a network":     {"127.0.0.0/8", []string{vera}, http.StatusOK},
		"another peer":     {"10.0.0.0/8", []string{vera}, http.StatusSeeOther},
		"nobody":           {"127.0.0.0/8", []string{"mallory"}, http.StatusSeeOther},
		"no name":          {"127.0.0.0/8", nil, http.StatusSeeOther},
		"a second opinion": {"127.0.0.0/8", []string{vera, olga}, http.StatusSeeOther},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, func(cfg *Config) {
				cfg.Proxy = login.Proxy{Header: header, From: []netip.Prefix{netip.MustParsePrefix(tc.from)}}
			})
			answer, body := b.visitor(t).ask(t, http.MethodGet, "/hosts", nil, http.Header{header: tc.values})
			require.Equal(t, tc.status, answer.StatusCode)
			if tc.status == http.StatusOK {
				require.Contains(t, body, "vera, viewer")
			}
		})
	}
}

func TestSecure(t *testing.T) {
	t.Parallel()
	b := setup(t, func(cfg *Config) { cfg.URL = "https://weir.example.com" })
	answer, _ := b.visitor(t).post(t, "/login", url.Values{"name": {olga}, "token": {string(b.operator)}})
	require.Len(t, answer.Cookies(), 1)
	require.True(t, answer.Cookies()[0].Secure)
	require.Equal(t, "__Host-weir_session", answer.Cookies()[0].Name)
	require.NotEmpty(t, answer.Header.Get("Strict-Transport-Security"))
	for _, wrong := range []string{"weir.example.com", "https://weir.example.com/sub", "ftp://x", "https://"} {
		_, err := New(&Config{URL: wrong})
		require.ErrorContains(t, err, "WEIR_WEB_URL", wrong)
	}
}
