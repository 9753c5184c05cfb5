package broadcaster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"weir/secret"
)

// Session is what Livepeer's API gives for one transcode: where to send segments, and the id
// under which Broadcasters ask it what to make of them.
type Session struct {
	Addresses []string
	id        string
}

var (
	// ErrNoBroadcasters: the API answered, and named none.
	ErrNoBroadcasters = errors.New("it names no Broadcaster")
	// ErrNoSession: the API answered, and gave no id.
	ErrNoSession = errors.New("it gives no session")
)

// apiMost bounds what is read of an API's answer.
const apiMost = 1 << 20

// Ask asks Livepeer's API as MistProcLivepeer does: for its Broadcasters without a token, and
// with it for a session, which has the one small rendition of [Try].
func Ask(ctx context.Context, client *http.Client, api string, token secret.Secret) (*Session, error) {
	var listed []struct {
		Address string `json:"address"`
	}
	if err := ask(ctx, client, http.MethodGet, api, "broadcaster", "", nil, &listed); err != nil {
		return nil, err
	}
	s := &Session{}
	for _, of := range listed {
		if of.Address != "" {
			s.Addresses = append(s.Addresses, of.Address)
		}
	}
	if len(s.Addresses) == 0 {
		return nil, ErrNoBroadcasters
	}
	body, err := json.Marshal(map[string]any{"name": "weir-doctor", "profiles": profiles()})
	if err != nil {
		return nil, fmt.Errorf("encode profiles: %w", err)
	}
	var opened struct {
		ID string `json:"id"`
	}
	if err := ask(ctx, client, http.MethodPost, api, "stream", token, body, &opened); err != nil {
		return nil, err
	}
	if opened.ID == "" {
		return nil, ErrNoSession
	}
	s.id = opened.ID
	return s, nil
}

// Try is [Try] within the session.
func (s *Session) Try(ctx context.Context, client *http.Client, address string) (Answer, error) {
	return try(ctx, client, address, s.id, "")
}

// End removes the session's stream from the API's account, where it would be kept.
func (s *Session) End(ctx context.Context, client *http.Client, api string, token secret.Secret) error {
	return ask(ctx, client, http.MethodDelete, api, "stream/"+url.PathEscape(s.id), token, nil, nil)
}

func ask(ctx context.Context, client *http.Client, method, api, path string, token secret.Secret, body []byte, answer any) error {
	at, err := url.JoinPath(api, path)
	if err != nil {
		return errors.New("it is no address")
	}
	req, err := http.NewRequestWithContext(ctx, method, at, bytes.NewReader(body))
	if err != nil {
		return errors.New("it is no address")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+string(token))
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := client.Do(req)
	if err != nil {
		return unanswered(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(res.Body, apiMost))
	if err != nil {
		return fmt.Errorf("no answer: %w", err)
	}
	if res.StatusCode < http.StatusOK || res.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("%w: HTTP %d for %s %s", ErrRefused, res.StatusCode, method, path)
	}
	if answer != nil && json.Unmarshal(text, answer) != nil {
		return fmt.Errorf("its answer to %s %s is not what was expected", method, path)
	}
	return nil
}

// unanswered is a request's error without its address, which may hold a key.
func unanswered(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	return fmt.Errorf("no answer: %w", err)
}

// words of an answer are for people.
func words(text []byte) string {
	return strings.Join(strings.Fields(strings.ToValidUTF8(string(text), "?")), " ")
}
