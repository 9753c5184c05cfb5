package e2e

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"weir/internal/devstack"
)

// door is another way to the S3 server, which can be shut for what is written.
type door struct {
	address string
	opened  chan struct{}
	open    func()
}

// startDoor starts it shut. Whoever writes a key with the given ending has to wait
// until it is opened, or is turned away where refuse is given.
func (b *testBundle) startDoor(t *testing.T, ending string, refuse bool) *door {
	t.Helper()
	server, err := url.Parse(b.S3.Endpoint)
	require.NoError(t, err)
	d := &door{opened: make(chan struct{})}
	d.open = sync.OnceFunc(func() { close(d.opened) })
	// The host stays as it came: the signature covers it.
	through := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(server)
		r.Out.Host = r.In.Host
	}}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, ending) && !d.pass(r, refuse) {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		through.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		d.open()
		front.Close()
	})
	d.address = front.URL
	return d
}

// pass says whether a request goes through, and waits for that where it may.
func (d *door) pass(r *http.Request, refuse bool) bool {
	if refuse {
		select {
		case <-d.opened:
			return true
		default:
			return false
		}
	}
	select {
	case <-d.opened:
		return true
	case <-r.Context().Done():
		return false
	}
}

// output is where a request's renditions go through the door.
func (d *door) output(t *testing.T, b *testBundle) devstack.Location {
	t.Helper()
	return devstack.Location{URL: strings.Replace(string(b.object(t, "out")), strings.TrimPrefix(b.S3.Endpoint, "http://"), strings.TrimPrefix(d.address, "http://"), 1)}
}
