package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"time"
)

// door stands before the S3 server: it counts what is uploaded, and can be told to
// throttle, to fail or to stall.
type door struct {
	address   string
	server    *http.Server
	transport *http.Transport
	served    chan error

	mu      sync.Mutex
	mode    doorMode
	lags    string         // in the keys that doorLags holds
	healed  chan struct{}  // closed when the mode ends
	uploads map[string]int // by key: how often it was uploaded
	held    map[string]int // by key: what waits for the mode's end
}

// doorMode is how it misbehaves.
type doorMode string

const (
	doorOpen doorMode = ""
	// doorThrottles answers 503 SlowDown to everything.
	doorThrottles doorMode = "throttle"
	// doorFails answers 500 InternalError to everything.
	doorFails doorMode = "fail"
	// doorStalls takes half of what is uploaded and then nothing more.
	doorStalls doorMode = "stall"
	// doorLags takes what one transcode uploads, and stores it when the mode ends: also where
	// the sender has hung up meanwhile. Were all held, they would hold all slots, and the one
	// that is to be seen in hand would wait for them.
	doorLags doorMode = "lag"
)

// doorAnswers are those of the modes that answer in place of S3.
var doorAnswers = map[doorMode]struct {
	status int
	body   string
}{
	doorThrottles: {http.StatusServiceUnavailable, `<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>`},
	doorFails:     {http.StatusInternalServerError, `<Error><Code>InternalError</Code><Message>We encountered an internal error. Please try again.</Message></Error>`},
}

// doorHeader bounds a connection on which nothing is asked.
const doorHeader = 10 * time.Second

// newDoor listens on a free port of the loopback.
func newDoor(ctx context.Context, endpoint string) (*door, error) {
	target, err := url.Parse(endpoint)
	if err != nil {
		return nil, fmt.Errorf("door to S3: %w", err)
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("door to S3: %w", err)
	}
	d := &door{address: listener.Addr().String(), served: make(chan error, 1), uploads: map[string]int{}, held: map[string]int{}, healed: make(chan struct{})}
	quiet := slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // broken connections are what it is for
	// Signatures are over what was sent, the Host header too: all passes as it is.
	d.transport = &http.Transport{DisableCompression: true}
	proxy := &httputil.ReverseProxy{
		Rewrite:        func(r *httputil.ProxyRequest) { r.SetURL(target); r.Out.Host = r.In.Host },
		Transport:      d.transport,
		ModifyResponse: d.count,
		ErrorLog:       quiet,
		ErrorHandler:   func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	d.server = &http.Server{Handler: d.misbehave(proxy), ReadHeaderTimeout: doorHeader, ErrorLog: quiet}
	go func() { d.served <- d.server.Serve(listener) }()
	return d, nil
}

func (d *door) misbehave(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.mu.Lock()
		mode, lags, healed := d.mode, d.lags, d.healed
		d.mu.Unlock()
		if answer, ok := doorAnswers[mode]; ok {
			w.Header().Set("Content-Type", "application/xml")
			w.WriteHeader(answer.status)
			_, _ = io.WriteString(w, `<?xml version="1.0" encoding="UTF-8"?>`+answer.body)
			return
		}
		if mode == doorStalls && r.Method == http.MethodPut {
			r.Body = &stallingBody{ReadCloser: r.Body, left: r.ContentLength / 2, healed: healed, gone: r.Context().Done()}
		}
		if mode == doorLags && r.Method == http.MethodPut && strings.Contains(r.URL.Path, lags) && !strings.Contains(r.URL.Path, tryName) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				panic(http.ErrAbortHandler)
			}
			d.hold(r.URL.Path)
			<-healed
			// One that can't be cancelled at all, the proxy would end when its sender hangs up.
			ctx, cancel := context.WithCancel(context.WithoutCancel(r.Context()))
			defer cancel()
			r = r.WithContext(ctx)
			r.Body = io.NopCloser(bytes.NewReader(body))
		}
		next.ServeHTTP(w, r)
	})
}

func (d *door) hold(key string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.held[key]++
}

// stallingBody gives the first half of an upload and then stands still.
type stallingBody struct {
	io.ReadCloser

	left   int64
	healed <-chan struct{}
	gone   <-chan struct{}
}

// Read implements io.Reader.
func (b *stallingBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		select {
		case <-b.healed:
			return 0, errors.New("the connection broke behind the stall")
		case <-b.gone:
			return 0, errors.New("the sender has hung up")
		}
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

// tryName is in the key of what Weir writes and removes to find out whether it may write.
const tryName = "/.weir-try-"

// count notes an object that was stored as a whole.
func (d *door) count(resp *http.Response) error {
	r := resp.Request
	if strings.Contains(r.URL.Path, tryName) {
		return nil
	}
	whole := r.Method == http.MethodPut && !r.URL.Query().Has("partNumber") || r.Method == http.MethodPost && r.URL.Query().Has("uploadId")
	if whole && resp.StatusCode == http.StatusOK {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.uploads[r.URL.Path]++
	}
	return nil
}

// uploadsOf counts the uploads of keys that hold the text.
func (d *door) uploadsOf(text string) int { return d.sum(d.uploads, text) }

// heldOf counts those that ever waited in it.
func (d *door) heldOf(text string) int { return d.sum(d.held, text) }

func (d *door) sum(counts map[string]int, text string) (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for key, times := range counts {
		if strings.Contains(key, text) {
			n += times
		}
	}
	return n
}

// set changes the mode; doorOpen heals.
func (d *door) set(mode doorMode) {
	d.mu.Lock()
	defer d.mu.Unlock()
	close(d.healed)
	d.healed, d.mode = make(chan struct{}), mode
}

// lag holds what is uploaded to keys that hold the text.
func (d *door) lag(text string) {
	d.mu.Lock()
	d.lags = text
	d.mu.Unlock()
	d.set(doorLags)
}

// Close ends it.
func (d *door) Close() error {
	d.set(doorOpen)
	defer d.transport.CloseIdleConnections()
	err := d.server.Close()
	if served := <-d.served; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}
