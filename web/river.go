package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"riverqueue.com/riverui"

	"weir/jobs/audit"
)

const (
	riverPath = "/river"
	// riverBodyMost is more than the ids of a page of jobs.
	riverBodyMost = 64 << 10
	// riverPolicy lets River's pages set styles of their own, too.
	riverPolicy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; " +
		"connect-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
)

// openRiver mounts River's own pages: whoever is logged in reads there, operators change.
func (p *Pages) openRiver() error {
	ui, err := riverui.NewHandler(&riverui.HandlerOpts{Endpoints: riverui.NewEndpoints(p.cfg.River, nil), Logger: p.cfg.Log, Prefix: riverPath})
	if err != nil {
		return fmt.Errorf("open River's pages: %w", err)
	}
	p.river = ui
	p.route("GET "+riverPath+"/{rest...}", viewers, p.readRiver)
	p.route(riverPath+"/{rest...}", operators, p.changeRiver)
	return nil
}

func (p *Pages) readRiver(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Security-Policy", riverPolicy)
	p.river.ServeHTTP(w, r)
}

// changeRiver writes down what is asked for before River does it, in a transaction of its
// own: what stands there was asked for, and nothing is done that does not.
func (p *Pages) changeRiver(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, riverBodyMost))
	if err != nil || !utf8.Valid(body) || bytes.IndexByte(body, 0) >= 0 {
		p.problem(w, r, http.StatusBadRequest, errors.New("what was sent can't be read"))
		return
	}
	what := strings.TrimPrefix(r.URL.Path, riverPath+"/api/")
	user := userOf(r.Context())
	err = audit.Do(r.Context(), p.cfg.DB, &audit.Action{
		Who: user.Name, Via: audit.Web, What: "river " + r.Method, Target: what, Reason: "in River's pages", Detail: map[string]string{"asked": string(body)},
	}, false, func(pgx.Tx) error { return nil })
	if err != nil {
		p.failed(w, r, "write it down", err)
		return
	}
	p.cfg.Log.InfoContext(r.Context(), "changed in River's pages", "user", user.Name, "what", r.Method+" "+what)
	r.Body = io.NopCloser(bytes.NewReader(body))
	r.ContentLength = int64(len(body))
	p.readRiver(w, r)
}

// start begins what works behind the pages, until ctx ends.
func (p *Pages) start(ctx context.Context) error {
	if err := p.river.Start(ctx); err != nil {
		return fmt.Errorf("start River's pages: %w", err)
	}
	return nil
}
