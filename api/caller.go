package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
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

// identify reads the bearer token of a request.
func (s *server) identify(r *http.Request) caller {
	scheme, token, found := strings.Cut(r.Header.Get("Authorization"), " ")
	if !found || !strings.EqualFold(scheme, bearer) {
		return ""
	}
	tenant, _ := s.cfg.Tokens.tenant(strings.TrimSpace(token))
	return caller(tenant)
}

// authorize refuses unknown callers before anything of their request is read.
func (s *server) authorize(ctx huma.Context, next func(huma.Context)) {
	if len(ctx.Operation().Security) > 0 && callerOf(ctx.Context()) == "" {
		ctx.SetHeader("WWW-Authenticate", `Bearer realm="weir"`)
		_ = huma.WriteErr(s.huma, ctx, http.StatusUnauthorized, "send a known token as Authorization: Bearer TOKEN")
		return
	}
	next(ctx)
}
