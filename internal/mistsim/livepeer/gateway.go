package livepeer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

const (
	// apiWait bounds a request to the gateway's API.
	apiWait = 10 * time.Second
	// maxAPI bounds its answer.
	maxAPI = 4 << 20
	// randomLen is the length of the random part of a transcode id.
	randomLen = 8
)

// errUnanswered: a GET that is answered 401 makes the process wait for more.
var errUnanswered = errors.New("Authentication required but not included in URL")

// prepare completes the profiles and finds a broadcaster.
func (p *Process) prepare(ctx context.Context) error {
	for _, prof := range p.opt.Profiles {
		prof.complete(p.track.Width, p.track.Height, p.track.FPKS)
		p.log("INFO", "Profile parsed: "+compact(prof))
	}
	p.opt.raw["target_profiles"] = p.opt.Profiles
	if err := p.findBroadcasters(ctx); err != nil {
		return err
	}
	p.bc = p.opt.pick("")
	p.log("INFO", "Using broadcaster: "+p.bc)
	p.id = p.opt.Source + "-" + random(randomLen)
	if p.opt.AccessToken != "" {
		if err := p.openStream(ctx); err != nil {
			return err
		}
	}
	p.log("INFO", "Livepeer transcode ID: "+p.id)
	return nil
}

// findBroadcasters asks the gateway where no list is given. The condition for the
// Authorization header is the wrong way round in both trees: with a token there is
// none, without a token there is an empty one.
func (p *Process) findBroadcasters(ctx context.Context) (err error) {
	if p.opt.Hardcoded != "" {
		p.opt.broadcasters, err = hardcoded(p.opt.Hardcoded)
		return err
	}
	header := http.Header{}
	if p.opt.AccessToken == "" {
		header.Set("Authorization", "Bearer ")
	}
	status, answer, err := p.gateway(ctx, http.MethodGet, "/broadcaster", header, nil)
	switch {
	case err != nil:
		return fmt.Errorf("Livepeer API responded negatively to request for broadcaster list: %w", err)
	case isAuthentication(status):
		p.log("FAIL", errUnanswered.Error())
		return errUnanswered
	}
	p.opt.broadcasters, err = listed(answer)
	return err
}

// openStream asks the gateway for the id of a new transcode.
func (p *Process) openStream(ctx context.Context) error {
	path := "/stream"
	if !p.upstream {
		path += "?sessionId=" + p.source.UUID
	}
	header := http.Header{}
	header.Set("Content-Type", "application/json")
	header.Set("Authorization", "Bearer "+p.opt.AccessToken)
	body := compact(map[string]any{"name": p.opt.Source, "profiles": p.opt.Profiles})
	status, answer, err := p.gateway(ctx, http.MethodPost, path, header, []byte(body))
	if err != nil {
		return fmt.Errorf("Livepeer API responded negatively to encode request: %w", err)
	}
	if isAuthentication(status) {
		p.log("FAIL", errUnanswered.Error())
		return errors.New("Livepeer API responded negatively to encode request")
	}
	var stream map[string]any
	if json.Unmarshal(answer, &stream) != nil {
		return errors.New("Livepeer API did not respond with JSON")
	}
	id, known := stream["id"]
	if !known {
		return fmt.Errorf("Livepeer API did not respond with a valid ID: %s", answer)
	}
	p.id, _ = id.(string)
	return nil
}

// isAuthentication: the two statuses to which Mist answers with a log-in, if it has one.
func isAuthentication(status int) bool {
	return status == http.StatusUnauthorized || status == http.StatusProxyAuthRequired
}

// gateway makes one request. Any answer is an answer, whatever its status.
func (p *Process) gateway(ctx context.Context, method, path string, header http.Header, body []byte) (int, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, apiWait)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, p.opt.CustomURL+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header = header
	req.Header.Set("User-Agent", userAgent)
	resp, err := p.http.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAPI))
	return resp.StatusCode, answer, err
}

// compact is JSON as Mist writes it: keys in order, nothing escaped for HTML.
func compact(v any) string {
	var out strings.Builder
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return "null"
	}
	return strings.TrimSuffix(out.String(), "\n")
}
