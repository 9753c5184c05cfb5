package api

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
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
		s.refuseAtOnce(ctx, http.StatusUnauthorized, "send a known token as Authorization: Bearer TOKEN")
		return
	}
	next(ctx)
}

// anyTenant stands where a tenant's name would for operators' tokens.
const anyTenant = "*"

// hashedPrefix marks a token that is given as its hash.
const hashedPrefix = "sha256:"

// maxTenant keeps a tenant's name readable in tables and logs.
const maxTenant = 64

var tenantPattern = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]*$`)

// Tokens are the callers' tokens as SHA-256 hashes; the tokens themselves are not
// kept. They are immutable and safe for concurrent use.
type Tokens struct{ list []token }

type token struct {
	tenant string
	hash   [sha256.Size]byte
}

// Format implements fmt.Formatter: hashes do not print, a short token could be
// guessed from one.
func (Tokens) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "[redacted]") }

// ParseTokens reads TENANT=TOKEN,TENANT2=sha256:HEX. A tenant may have several
// tokens, so that they can be changed without a gap. The tenant * is an operator:
// it may see and cancel everybody's transcodes, and submit none. The error names
// an entry by its place and repeats nothing of text.
func ParseTokens(text string) (*Tokens, error) {
	tokens := &Tokens{}
	if strings.TrimSpace(text) == "" {
		return nil, errors.New("WEIR_API_TOKENS: there is none; write TENANT=TOKEN")
	}
	for i, entry := range strings.Split(text, ",") {
		parsed, err := parseToken(strings.TrimSpace(entry))
		if err != nil {
			return nil, fmt.Errorf("WEIR_API_TOKENS, entry %d: %w", i+1, err)
		}
		for _, other := range tokens.list {
			if other.hash == parsed.hash {
				return nil, fmt.Errorf("WEIR_API_TOKENS, entry %d: the same token is there before; give every entry its own", i+1)
			}
		}
		tokens.list = append(tokens.list, parsed)
	}
	return tokens, nil
}

func parseToken(entry string) (token, error) {
	tenant, secret, found := strings.Cut(entry, "=")
	switch {
	case !found:
		return token{}, errors.New("it has no =; write TENANT=TOKEN")
	case tenant != anyTenant && (len(tenant) > maxTenant || !tenantPattern.MatchString(tenant)):
		return token{}, fmt.Errorf("its tenant is no name of up to %d letters, digits, '.', '-', '_'", maxTenant)
	case secret == "":
		return token{}, errors.New("its token is empty; write TENANT=TOKEN")
	}
	hashed, isHash := strings.CutPrefix(secret, hashedPrefix)
	if !isHash {
		return token{tenant: tenant, hash: sha256.Sum256([]byte(secret))}, nil
	}
	raw, err := hex.DecodeString(hashed)
	if err != nil || len(raw) != sha256.Size {
		return token{}, fmt.Errorf("after sha256: there are not %d hexadecimal digits; make them by `printf %%s TOKEN | sha256sum`", 2*sha256.Size)
	}
	return token{tenant: tenant, hash: [sha256.Size]byte(raw)}, nil
}

// tenant returns whose token it is, and which: -1 for none. It takes as long for a wrong
// one.
func (t Tokens) tenant(secret string) (name string, place int) {
	hash, place := sha256.Sum256([]byte(secret)), -1
	for i, each := range t.list {
		if subtle.ConstantTimeCompare(hash[:], each.hash[:]) == 1 {
			name, place = each.tenant, i
		}
	}
	return name, place
}
