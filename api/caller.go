package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// caller is who sent a request: the tenant's name, anyTenant for an operator, ""
// for nobody known.
type caller string

type callerKey struct{}

func callerOf(ctx context.Context) caller {
	c, _ := ctx.Value(callerKey{}).(caller)
	return c
}

// scope is the tenant that jobs is asked for: "" is any.
func (c caller) scope() string {
	if c == anyTenant {
		return ""
	}
	return string(c)
}

type tokenKey struct{}

// tokenOf is the place of the caller's token among Tokens, -1 for nobody known.
func tokenOf(ctx context.Context) int {
	if place, ok := ctx.Value(tokenKey{}).(int); ok {
		return place
	}
	return -1
}

// identify reads the bearer token of a request, and says which one of Tokens it is; -1
// for none.
func (s *server) identify(r *http.Request) (who caller, token int) {
	scheme, text, found := strings.Cut(r.Header.Get("Authorization"), " ")
	if !found || !strings.EqualFold(scheme, bearer) {
		return "", -1
	}
	tenant, token := s.cfg.Tokens.tenant(strings.TrimSpace(text))
	return caller(tenant), token
}

// authorize refuses unknown callers, and those that ask too much, before anything of
// their request is read.
func (s *server) authorize(ctx huma.Context, next func(huma.Context)) {
	if len(ctx.Operation().Security) == 0 {
		next(ctx)
		return
	}
	r, _ := humago.Unwrap(ctx)
	token := tokenOf(ctx.Context())
	if wait := s.rates.wait(addressOf(r), token, time.Now()); wait > 0 {
		s.tooMany(ctx, wait)
		return
	}
	if token < 0 {
		ctx.SetHeader("WWW-Authenticate", `Bearer realm="weir"`)
		_ = huma.WriteErr(s.huma, ctx, http.StatusUnauthorized, "send a known token as Authorization: Bearer TOKEN")
		return
	}
	next(ctx)
}
