package web

import (
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"weir/api/events"
	"weir/jobs/jobstest"
	"weir/secret"
	"weir/web/login"
)

// testBundle is a database with pages for an operator and a viewer.
type testBundle struct {
	*jobstest.Bundle

	cfg              *Config
	pages            *Pages
	url              string
	operator, viewer secret.Secret
}

const olga, vera = "olga", "vera"

func setup(t *testing.T, change ...func(*Config)) *testBundle {
	t.Helper()
	users, err := made()
	require.NoError(t, err)
	b := &testBundle{Bundle: jobstest.New(t), operator: users.operator, viewer: users.viewer}
	b.cfg = &Config{
		DB: b.Pool, Transcodes: b.Transcodes, River: b.River, Users: users.Users, Events: events.New(b.Pool, jobstest.Silent()), Log: jobstest.Silent(),
	}
	for _, f := range change {
		f(b.cfg)
	}
	b.pages, err = New(b.cfg)
	require.NoError(t, err)
	server := httptest.NewServer(b.pages)
	t.Cleanup(server.Close)
	b.url = server.URL
	return b
}

type testUsers struct {
	*login.Users

	operator, viewer secret.Secret
}

// made are the users of all tests: hashing a token is slow on purpose.
var made = sync.OnceValues(func() (u testUsers, err error) {
	operator, first, err := login.Make(olga, login.Operator)
	if err != nil {
		return u, err
	}
	viewer, second, err := login.Make(vera, login.Viewer)
	if err != nil {
		return u, err
	}
	users, err := login.ParseUsers(first + "," + second)
	return testUsers{users, operator, viewer}, err
})

// visitor is a browser without a script.
type visitor struct {
	*http.Client

	b *testBundle
}

func (b *testBundle) visitor(t *testing.T) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	client := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	t.Cleanup(client.CloseIdleConnections)
	return &visitor{client, b}
}

// logged is a visitor who is logged in.
func (b *testBundle) logged(t *testing.T, name string, token secret.Secret) *visitor {
	t.Helper()
	v := b.visitor(t)
	answer, body := v.post(t, "/login", url.Values{"name": {name}, "token": {string(token)}, "next": {"/hosts"}})
	require.Equal(t, http.StatusSeeOther, answer.StatusCode, body)
	require.Equal(t, "/hosts", answer.Header.Get("Location"))
	return v
}

func (v *visitor) get(t *testing.T, path string) (*http.Response, string) {
	t.Helper()
	return v.ask(t, http.MethodGet, path, nil, nil)
}

func (v *visitor) post(t *testing.T, path string, form url.Values) (*http.Response, string) {
	t.Helper()
	return v.ask(t, http.MethodPost, path, form, http.Header{"Sec-Fetch-Site": {"same-origin"}})
}

func (v *visitor) ask(t *testing.T, method, path string, form url.Values, headers http.Header) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, v.b.url+path, strings.NewReader(form.Encode()))
	require.NoError(t, err)
	maps.Copy(request.Header, headers)
	if form != nil {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	answer, err := v.Do(request)
	require.NoError(t, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return answer, string(body)
}

// changes are what is written down of operators.
func (b *testBundle) changes(t *testing.T) int {
	t.Helper()
	return b.Count(t, "SELECT count(*) FROM weir.admin_actions")
}
