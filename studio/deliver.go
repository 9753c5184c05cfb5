package studio

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"weir/secret"
	"weir/storage/dial"
)

// Fate is what becomes of a delivery, by its answer.
type Fate string

const (
	// Delivered means that the receiver has it (2xx).
	Delivered Fate = "delivered"
	// Retry means that it may be taken later (5xx, 408, 425, 429, no answer).
	Retry Fate = "retry"
	// Refused means that it will never be taken (other answers, redirects, a URL
	// that can't be used).
	Refused Fate = "refused"
)

// The headers of a delivery beside [SignatureHeader].
const (
	EventIDHeader = "Weir-Event-Id"
	AttemptHeader = "Weir-Attempt"
)

const (
	// defaultTimeout bounds a delivery from the first byte to the last: a receiver
	// that writes one row needs less, and a hanging one holds a worker.
	defaultTimeout = 10 * time.Second
	// connectTimeout is net/http's usual one for TLS, keepAlive net's.
	connectTimeout, keepAlive = 10 * time.Second, 15 * time.Second
	// answerKept of an answer is shown to people.
	answerKept = 512
	// answerRead is more, so that a secret can be recognized that answerKept cuts.
	answerRead = 4 << 10
	// maxAnswerHeader: what a sane receiver sends is far below.
	maxAnswerHeader = 64 << 10
	// idleConns keeps a connection warm over the statuses of one receiver (every
	// 30 s at most).
	idleConns   = 16
	idleTimeout = 45 * time.Second
	// minSecretValue is the length from which a path or a query's value is held for
	// a secret: shorter ones ("finalize") are words.
	minSecretValue = 12
)

// Config is what all deliveries share. Zero fields are the documented default.
type Config struct {
	// Secret signs deliveries that bring no secrets of their own; empty: those are not
	// signed.
	Secret secret.Secret
	// Bearer is sent as Authorization to BearerHosts (host or host:port) and to
	// nobody else: Studio's task runner asks for one. A URL with user and password
	// sends those instead.
	Bearer      secret.Secret
	BearerHosts []string
	// Version is in User-Agent; empty: dev.
	Version string
	// Timeout of a delivery; 0: 10 s.
	Timeout time.Duration
	// Guard says which addresses callbacks may reach; nil: the public internet.
	Guard *dial.Guard
}

// Client delivers callbacks. It may be used by many at once.
type Client struct {
	http      *http.Client
	cfg       Config
	userAgent string
}

// New returns a client; Close it.
func New(cfg *Config) *Client {
	c := &Client{cfg: *cfg}
	if c.cfg.Version == "" {
		c.cfg.Version = "dev"
	}
	if c.cfg.Timeout == 0 {
		c.cfg.Timeout = defaultTimeout
	}
	c.userAgent = "weir/" + c.cfg.Version
	c.http = &http.Client{
		Transport: &http.Transport{
			// No proxy: through one it could not be seen which address is reached.
			DialContext:            cfg.Guard.Dialer(connectTimeout, keepAlive).DialContext,
			TLSHandshakeTimeout:    connectTimeout,
			ForceAttemptHTTP2:      true,
			DisableCompression:     true, // an answer's first bytes are read as they come
			MaxIdleConns:           idleConns,
			IdleConnTimeout:        idleTimeout,
			MaxResponseHeaderBytes: maxAnswerHeader,
		},
		// A redirect could take the callback to where nobody has looked.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c
}

// Close ends idle connections; deliveries under way go on.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Delivery is one callback to be sent.
type Delivery struct {
	// URL may hold credentials: user and password are sent as basic auth.
	URL secret.Secret
	// Body is sent byte for byte.
	Body []byte
	// EventID is empty for a status, which is not an event to be kept.
	EventID string
	// Secrets sign it, each of them, so that the receiver may change over from one to the
	// other; none: Config.Secret.
	Secrets []secret.Secret
	// Attempt counts the deliveries of this callback from 1; 0 is not sent.
	Attempt int
}

// Result is how a delivery went, fit for a row: nothing in it holds a secret.
type Result struct {
	Fate Fate
	// Status is the HTTP status; nil when no answer came.
	Status  *int
	Latency time.Duration
	// Answer is the beginning of what the receiver said, printable.
	Answer string
	// Err says why it is not delivered; empty when it is.
	Err string
	// RetryAfter is the least wait that the receiver asked for, 1 h at most; 0: none.
	RetryAfter time.Duration
}

// Deliver makes one attempt. It blocks for Config.Timeout at most and follows no
// redirect. When ctx ends first, its fate is Retry: the receiver may have it.
func (c *Client) Deliver(ctx context.Context, d Delivery) Result {
	start := time.Now()
	result := c.deliver(ctx, d)
	result.Latency = time.Since(start)
	return result
}

func (c *Client) deliver(ctx context.Context, d Delivery) Result {
	u, err := url.Parse(string(d.URL))
	// url.Parse's errors quote the URL.
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return Result{Fate: Refused, Err: "the callback URL is not http://HOST/... or https://HOST/...: correct it in the request"}
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	req, err := c.request(ctx, u, d)
	if err != nil {
		return Result{Fate: Refused, Err: "the callback can't be sent as a request to " + u.Host + ": correct its URL"}
	}
	hide := c.hider(u, d, req)
	resp, err := c.http.Do(req)
	if err != nil {
		return Result{Fate: Retry, Err: hide.Replace(c.reason(ctx, u, err))}
	}
	defer func() { _ = resp.Body.Close() }()
	// Whatever happens to the rest, the status has been said.
	answer, _ := io.ReadAll(io.LimitReader(resp.Body, answerRead))
	result := Result{
		Fate:   fate(resp.StatusCode),
		Status: &resp.StatusCode,
		Answer: printable(hide.Replace(string(answer)), answerKept),
	}
	switch {
	case result.Fate == Delivered:
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		result.Err = fmt.Sprintf("%s answered %d: redirects are not followed, give the final URL", u.Host, resp.StatusCode)
	default:
		result.Err = fmt.Sprintf("%s answered %d", u.Host, resp.StatusCode)
	}
	if result.Fate == Retry {
		result.RetryAfter = retryAfter(resp.Header.Get("Retry-After"), time.Now())
	}
	return result
}

func (c *Client) request(ctx context.Context, u *url.URL, d Delivery) (*http.Request, error) {
	bare := *u
	bare.User = nil
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, bare.String(), bytes.NewReader(d.Body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", c.userAgent)
	if d.EventID != "" {
		req.Header.Set(EventIDHeader, d.EventID)
	}
	if d.Attempt > 0 {
		req.Header.Set(AttemptHeader, strconv.Itoa(d.Attempt))
	}
	sign(req.Header, cmp.Or(d.EventID, uuid.NewString()), time.Now(), d.Body, c.secrets(d))
	if u.User != nil {
		password, _ := u.User.Password()
		req.SetBasicAuth(u.User.Username(), password)
	} else if c.cfg.Bearer != "" && (slices.Contains(c.cfg.BearerHosts, u.Host) || slices.Contains(c.cfg.BearerHosts, u.Hostname())) {
		req.Header.Set("Authorization", "Bearer "+string(c.cfg.Bearer))
	}
	return req, nil
}

// secrets are those that sign a delivery.
func (c *Client) secrets(d Delivery) []secret.Secret {
	if len(d.Secrets) == 0 && c.cfg.Secret != "" {
		return []secret.Secret{c.cfg.Secret}
	}
	return d.Secrets
}

// reason is why no answer came, without the URL that net/http puts before it.
func (c *Client) reason(ctx context.Context, u *url.URL, err error) string {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Sprintf("%s gave no answer within %s", u.Host, c.cfg.Timeout)
	case ctx.Err() != nil:
		return "interrupted before " + u.Host + " answered"
	}
	return printable(u.Host+": "+err.Error(), answerKept)
}

// hider replaces what is secret in texts that the receiver wrote: it may send
// back what it got.
func (c *Client) hider(u *url.URL, d Delivery, req *http.Request) *strings.Replacer {
	secrets := []string{string(d.URL), string(c.cfg.Secret), string(c.cfg.Bearer)}
	for _, key := range d.Secrets {
		secrets = append(secrets, string(key))
	}
	if u.User != nil {
		password, _ := u.User.Password()
		user := u.User.Username()
		secrets = append(secrets, u.User.String(), base64.StdEncoding.EncodeToString([]byte(user+":"+password)), password)
		if password == "" {
			secrets = append(secrets, user) // a token on its own
		}
	}
	// A path may be a token too, as in the webhooks of chats.
	for _, path := range []string{u.RequestURI(), u.EscapedPath(), u.Path} {
		if len(path) >= minSecretValue {
			secrets = append(secrets, path)
		}
	}
	for _, values := range u.Query() {
		for _, value := range values {
			if len(value) >= minSecretValue {
				secrets = append(secrets, value, url.QueryEscape(value))
			}
		}
	}
	secrets = append(secrets, req.Header.Get("Authorization"))
	var pairs []string
	for _, hidden := range secrets {
		if hidden != "" {
			pairs = append(pairs, hidden, secret.Redacted)
		}
	}
	return strings.NewReplacer(pairs...)
}

func fate(status int) Fate {
	switch {
	case status >= 200 && status < 300:
		return Delivered
	case status >= 500,
		status == http.StatusRequestTimeout, status == http.StatusTooEarly, status == http.StatusTooManyRequests:
		return Retry
	}
	return Refused
}

// retryAfter reads the header's two forms, seconds and a date.
func retryAfter(header string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(header, 10, 64); err == nil {
		return time.Duration(min(seconds, uint64(backoffMax/time.Second))) * time.Second
	}
	at, err := http.ParseTime(header)
	if err != nil {
		return 0
	}
	return min(max(at.Sub(now), 0), backoffMax)
}

// printable is s without what can't be shown or stored as text, cut to size bytes.
func printable(s string, size int) string {
	s = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) && r != '\n' && r != '\t' {
			return ' '
		}
		return r
	}, s)
	for len(s) > size {
		s = s[:size]
		for !utf8.ValidString(s) {
			s = s[:len(s)-1]
		}
	}
	return s
}
