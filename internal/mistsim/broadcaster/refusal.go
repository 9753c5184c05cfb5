package broadcaster

import (
	"errors"
	"fmt"
	"net/http"
)

// refusal is an answer other than 200, in the real one's words.
type refusal struct {
	status int
	text   string
}

func (r *refusal) Error() string { return fmt.Sprintf("%d: %s", r.status, r.text) }

// errDropped: the connection is closed without an answer. That is what a gateway
// without a chain does when an orchestrator fails in a way that another one might not.
var errDropped = errors.New("connection dropped")

// Reasons why no orchestrator would take a segment (LPMS, lpmsErrors and Err…).
const (
	reasonVideo    = "TranscoderInvalidVideo"
	reasonGOP      = "TranscoderInvalidGOP"
	reasonOutputs  = "Too many outputs"
	reasonRunaway  = "Encoded frames runaway"
	reasonSound    = "Invalid argument" // the decoder is not in the production build
	reasonAttempts = "hit max transcode attempts: UnknownResponse"
)

func refuse(status int, format string, args ...any) error {
	return &refusal{status: status, text: fmt.Sprintf(format, args...)}
}

// refuseConfig: the header is no JSON of the right types.
func refuseConfig(err error) error {
	return refuse(http.StatusBadRequest, "failed to parse transcode config header: %q", err)
}

// refuseManifest: a profile can't be read, or the gateway is full.
func (p *post) refuseManifest() error {
	return refuse(http.StatusInternalServerError, "Could not create stream ID: url=%s", p.url)
}

// forbid: the authentication webhook says no.
func (p *post) forbid() error {
	return refuse(http.StatusForbidden, "Could not create stream ID: url=%s", p.url)
}

// refuseSegment: it is the segment or its profiles; no orchestrator would take it.
func (p *post) refuseSegment(reason string) error {
	return p.failed(http.StatusUnprocessableEntity, reason)
}

func (p *post) failed(status int, reason string) error {
	return refuse(status, "http push error processing segment url=%s manifestID=%s err=%q", p.url, p.manifest, reason)
}

// noSessions: no orchestrator is free for this manifest now.
func noSessions() error { return refuse(http.StatusServiceUnavailable, "No sessions available") }
