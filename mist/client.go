package mist

import (
	"bytes"
	"context"
	"crypto/md5" // Mist's challenge is MD5, nothing else is accepted
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"weir/secret"
)

const (
	// DefaultURL is where MistController listens on its own machine.
	DefaultURL = "http://127.0.0.1:4242/api2"

	// DefaultTimeout bounds one exchange. Mist answers in milliseconds, but one
	// slow command or synchronous trigger (5 s of silence) stalls all others.
	DefaultTimeout = 10 * time.Second

	// maxReply bounds an answer. The largest, a push list, holds ten log lines
	// a push: about 4 kB each, so this is thousands of pushes.
	maxReply = 16 << 20

	// maxConns keeps us far from the 1,024 descriptors that Mist can serve.
	maxConns = 4

	// idleTimeout closes connections that a quiet host does not need.
	idleTimeout = 30 * time.Second

	// The ends of the API's two addresses. The first answers what was asked
	// for, the second adds streams, config and log to every answer.
	minimalPath = "/api2"
	fullPath    = "/api"
)

// Config says which Mist to talk to. The zero value means the one on this
// machine, without a login.
type Config struct {
	// URL of the API, ending in /api2; "" means DefaultURL. Credentials do not belong in it.
	URL string
	// Username and Password are needed only where Mist does not trust our
	// address (it trusts its own machine's).
	Username string
	Password secret.Secret
	// Timeout of one exchange; 0 means DefaultTimeout.
	Timeout time.Duration
	// Done is told of each exchange that has ended: which command it was, how long it took, and
	// the kind of error that came of it (of ErrUnavailable and the others); nil: nobody is.
	Done func(command string, took time.Duration, kind error)
}

// Client speaks to one MistController. It is safe for concurrent use and keeps
// no state: a restarted Mist is noticed by [Info.IID] only.
type Client struct {
	url      string
	fullURL  string
	username string
	password secret.Secret
	timeout  time.Duration
	http     *http.Client
	done     func(command string, took time.Duration, kind error)
}

// New checks cfg and returns a client. It does not connect.
func New(cfg *Config) (*Client, error) {
	if cfg == nil {
		cfg = &Config{}
	}
	address := cfg.URL
	if address == "" {
		address = DefaultURL
	}
	u, err := url.Parse(address)
	if err != nil {
		// url.Parse's error quotes the address, which may hold a password.
		return nil, errors.New("mist: the address of the API is no URL, it should look like " + DefaultURL)
	}
	switch {
	case u.User != nil:
		return nil, fmt.Errorf("mist: the address %s holds credentials, give user name and password apart", u.Redacted())
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "", !strings.HasSuffix(u.Path, minimalPath), u.RawQuery != "":
		return nil, fmt.Errorf("mist: the address %s is not that of the API, it should look like %s", u, DefaultURL)
	case cfg.Timeout < 0:
		return nil, fmt.Errorf("mist: the timeout %s is negative, give 0 for the default of %s", cfg.Timeout, DefaultTimeout)
	}
	timeout := cfg.Timeout
	if timeout == 0 {
		timeout = DefaultTimeout
	}
	return &Client{
		url:      u.String(),
		fullURL:  strings.TrimSuffix(u.String(), minimalPath) + fullPath,
		username: cfg.Username,
		password: cfg.Password,
		timeout:  timeout,
		done:     cfg.Done,
		http: &http.Client{
			Transport: &http.Transport{MaxConnsPerHost: maxConns, MaxIdleConnsPerHost: maxConns, IdleConnTimeout: idleTimeout},
			// Mist never redirects; whoever does is not Mist.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// Close drops idle connections. The client stays usable.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// URL is the API's address, as in errors.
func (c *Client) URL() string { return c.url }

// command is one request: several commands in one object run in an order of
// Mist's own, whatever their order here.
type command map[string]any

// reply is the answer by command. A key that is absent was not executed.
type reply map[string]json.RawMessage

// authorization is what Mist says about our login in every answer.
type authorization struct {
	Status    string `json:"status"`
	Challenge string `json:"challenge"`
}

const (
	statusChallenge = "CHALL" // the commands were not executed
	statusNoAccount = "NOACC" // no account exists; executed for local callers only
)

// call sends cmd to the minimal API. See send.
func (c *Client) call(ctx context.Context, op string, cmd command) (reply, error) {
	return c.send(ctx, c.url, op, cmd)
}

// send posts cmd and returns the answer, logging in where Mist asks for it. A
// login holds for one TCP connection and the challenge for a day, so the
// command is simply sent again with the login in it.
func (c *Client) send(ctx context.Context, address, op string, cmd command) (_ reply, err error) {
	if c.done != nil {
		defer func(began time.Time) { c.tell(ctx, op, time.Since(began), err) }(time.Now())
	}
	r, auth, err := c.post(ctx, address, op, cmd)
	if err != nil {
		return nil, err
	}
	if auth.Status == statusChallenge && c.username != "" {
		cmd = maps.Clone(cmd)
		cmd["authorize"] = map[string]string{
			"username": c.username,
			"password": md5hex(md5hex(string(c.password)) + auth.Challenge),
		}
		if r, auth, err = c.post(ctx, address, op, cmd); err != nil {
			return nil, err
		}
	}
	switch {
	case auth.Status == statusChallenge && c.username == "":
		return nil, c.fail(op, ErrAuth, errors.New("Mist asks for a login and none is set"))
	case auth.Status == statusChallenge:
		return nil, c.fail(op, ErrAuth, fmt.Errorf("user %q", c.username))
	case auth.Status == statusNoAccount && r["LTS"] == nil: // "LTS" is in every answer to executed commands
		return nil, c.fail(op, ErrAuth, errors.New("Mist has no account and serves none but its own machine, create one"))
	}
	return r, nil
}

// commands are the beginnings of what operations are called; what follows names streams.
var commands = []string{
	"info", "push start", "push stop", "status", "add streams", "remove streams", "list streams", "read triggers", registerTriggers,
}

// tell tells of an exchange, unless its caller gave up.
func (c *Client) tell(ctx context.Context, op string, took time.Duration, err error) {
	if ctx.Err() != nil {
		return
	}
	of := "other"
	for _, command := range commands {
		if strings.HasPrefix(op, command) {
			of = command
		}
	}
	if known, ok := errors.AsType[*Error](err); ok {
		err = known.Kind
	}
	c.done(of, took, err)
}

// post makes one exchange.
func (c *Client) post(ctx context.Context, address, op string, cmd command) (reply, authorization, error) {
	var auth authorization
	body, err := encode(cmd)
	if err != nil {
		return nil, auth, c.fail(op, ErrInvalid, err)
	}
	limited, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(limited, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return nil, auth, c.fail(op, ErrInvalid, err)
	}
	// Exactly this: with a charset behind it Mist takes the body for nothing and answers 200.
	req.Header.Set("Content-Type", "application/json")
	res, err := c.http.Do(req)
	if err != nil {
		return nil, auth, c.unavailable(ctx, op, err)
	}
	defer func() { _ = res.Body.Close() }() // read to its end below, nothing is left to fail
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxReply+1))
	switch {
	case err != nil:
		return nil, auth, c.unavailable(ctx, op, err)
	case res.StatusCode == http.StatusForbidden || res.StatusCode == http.StatusUnauthorized:
		return nil, auth, c.fail(op, ErrAuth, fmt.Errorf("HTTP %d", res.StatusCode))
	case res.StatusCode >= http.StatusInternalServerError:
		return nil, auth, c.fail(op, ErrUnavailable, fmt.Errorf("HTTP %d", res.StatusCode))
	case res.StatusCode != http.StatusOK: // Mist answers everything with 200
		return nil, auth, c.fail(op, ErrUnexpected, fmt.Errorf("HTTP %d", res.StatusCode))
	case len(raw) > maxReply:
		return nil, auth, c.fail(op, ErrUnexpected, fmt.Errorf("more than %d bytes", maxReply))
	}
	var r reply
	if err := json.Unmarshal(raw, &r); err != nil {
		return nil, auth, c.fail(op, ErrUnexpected, fmt.Errorf("%s: %w", contentType(res), err))
	}
	if err := json.Unmarshal(r["authorize"], &auth); err != nil {
		return nil, auth, c.fail(op, ErrUnexpected, fmt.Errorf("no authorize in it: %w", err))
	}
	return r, auth, nil
}

// decode reads the answer to one command into v; null leaves v as it is. A
// missing answer means that the command was not executed.
func (c *Client) decode(op string, r reply, key string, v any) error {
	raw, ok := r[key]
	if !ok {
		return c.fail(op, ErrUnexpected, fmt.Errorf("no %s in it", key))
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return c.fail(op, ErrUnexpected, fmt.Errorf("%s: %w", key, err))
	}
	return nil
}

// fail builds the error of one operation.
func (c *Client) fail(op string, kind, cause error) error {
	return &Error{URL: c.url, Op: op, Kind: kind, Err: cause}
}

// unavailable tells a Mist that does not answer from a caller that gave up.
func (c *Client) unavailable(ctx context.Context, op string, err error) error {
	if ctx.Err() != nil {
		return c.fail(op, ctx.Err(), context.Cause(ctx))
	}
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err // without the address, which Error says already
	}
	return c.fail(op, ErrUnavailable, err)
}

// encode writes v as JSON as Mist itself would: & and < stay as they are.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSpace(b.Bytes()), nil
}

// contentType names what came, for a person who finds a web page there.
func contentType(res *http.Response) string {
	kind, _, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if err != nil {
		return "no content type"
	}
	return kind
}

func md5hex(s string) string {
	sum := md5.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}
