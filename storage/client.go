package storage

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"weir/secret"
	"weir/storage/dial"
)

// The defaults of Config.
const (
	// defaultStall is above the pause of a server that assembles a large upload.
	defaultStall = 60 * time.Second
	// With 6 attempts and 5 s at most between them a call is given up after
	// some 15 s of refusals; longer outages are the caller's to wait for.
	defaultAttempts = 6
	defaultBackoff  = 5 * time.Second
	// defaultLeastRate is 256 kbit/s: no video that is worth a slot comes at less.
	defaultLeastRate = 32 << 10
	// defaultRateWindow is longer than a stall, behind which a new connection may be well.
	defaultRateWindow = 75 * time.Second
)

// maxRedirects is more than any source seen needs (CDN, then region).
const maxRedirects = 5

// Config sets up a Client. Its zero value reaches AWS without credentials.
type Config struct {
	// Endpoint is the base URL of the server behind s3://bucket/key, for
	// example "https://s3.example.com:9000"; "" is AWS.
	Endpoint string
	// Region signs the first request to a server whose region neither its location nor
	// its host's name tells; "" is us-east-1. A server that names another in its refusal
	// is asked again. For s3:// it is stronger than the name of Endpoint's host.
	Region string
	// AccessKey and SecretKey are for s3://bucket/key. Both empty is anonymous.
	// Locations with a host carry their own, and never get these.
	AccessKey string
	SecretKey secret.Secret
	// PathStyle puts the bucket into the path for s3://; for s3+http(s) that
	// is always so. Most servers other than AWS need it.
	PathStyle bool
	// Guard says which addresses the locations of requests may reach: all but Endpoint's.
	// nil is the public internet.
	Guard *dial.Guard
	// AllowHTTP permits http:// sources; https:// is always permitted.
	AllowHTTP bool
	// StallTimeout ends a request that moved no byte for so long; 0 is 60 s.
	StallTimeout time.Duration
	// LeastRate, in bytes a second, is what a source has to come at over each RateWindow;
	// 0 is 32 KiB and 75 s.
	LeastRate  int64
	RateWindow time.Duration
	// MaxAttempts is how often a request, or a part of one, is tried; 0 is 6.
	MaxAttempts int
	// MaxBackoff is the longest pause between attempts; 0 is 5 s.
	MaxBackoff time.Duration
	// Done is told of each operation that has ended, how many bytes it moved, and what came
	// of it: a Code, or "" where it is done; nil: nobody is.
	Done func(operation string, bytes int64, code Code)
}

// Client moves files. It is safe for concurrent use.
type Client struct {
	config  *Config
	keys    *hidden // the credentials of config, which has them no more
	lessons *lessons
	own     *http.Client // to Endpoint
	s3HTTP  *http.Client
	web     *http.Client
}

// New checks cfg and returns a Client. It opens no connection.
func New(cfg *Config) (*Client, error) {
	config := *cfg
	config.StallTimeout = cmp.Or(config.StallTimeout, defaultStall)
	config.LeastRate = cmp.Or(config.LeastRate, defaultLeastRate)
	config.RateWindow = cmp.Or(config.RateWindow, defaultRateWindow)
	config.MaxAttempts = cmp.Or(config.MaxAttempts, defaultAttempts)
	config.MaxBackoff = cmp.Or(config.MaxBackoff, defaultBackoff)
	if config.Endpoint != "" {
		u, err := url.Parse(config.Endpoint)
		// The error of url.Parse would repeat what somebody may have put before an "@".
		if err != nil || u.Host == "" || u.User != nil || u.Scheme != schemeHTTP && u.Scheme != schemeHTTPS {
			return nil, errors.New("storage: the S3 endpoint is not of the form https://host[:port]; credentials are set apart from it")
		}
	}
	if config.Region != "" && !regionPattern.MatchString(config.Region) {
		return nil, errors.New("storage: the S3 region is no name of letters, digits and dashes")
	}
	if (config.AccessKey == "") != (config.SecretKey == "") {
		return nil, errors.New("storage: of S3 access key and secret key only one is set; set both, or none for anonymous access")
	}
	if config.StallTimeout < 0 || config.LeastRate < 0 || config.RateWindow < 0 || config.MaxAttempts < 0 || config.MaxBackoff < 0 {
		return nil, errors.New("storage: stall timeout, least rate, attempts and backoff can't be negative")
	}
	keys := &hidden{}
	if config.AccessKey != "" {
		keys.user = url.UserPassword(config.AccessKey, string(config.SecretKey))
		config.AccessKey, config.SecretKey = "", ""
	}
	guarded, trusted := guarded(config.Guard, config.StallTimeout), trusted(config.StallTimeout)
	// What is signed for one host is not for another.
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Client{
		config:  &config,
		keys:    keys,
		lessons: newLessons(),
		own:     &http.Client{Transport: brief{trusted}, CheckRedirect: stay},
		s3HTTP:  &http.Client{Transport: brief{guarded}, CheckRedirect: stay},
		web:     &http.Client{Transport: guarded, CheckRedirect: checkRedirect},
	}, nil
}

// done tells of an operation.
func (c *Client) done(operation string, bytes int64, err error) {
	if c.config.Done == nil {
		return
	}
	code := Code("")
	var known *Error
	switch {
	case errors.As(err, &known):
		code = known.Code
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.Is(err, ErrOvertaken):
		return // its caller had enough of it, or came too late
	case err != nil:
		code = CodeS3Unavailable
	}
	c.config.Done(operation, bytes, code)
}

// Close closes idle connections. The Client stays usable.
func (c *Client) Close() {
	c.own.CloseIdleConnections()
	c.s3HTTP.CloseIdleConnections()
}

// CheckSource reports whether loc can be a source: an object with a key, or an
// URL of a scheme that is allowed. It opens no connection. The error is an
// *Error with CodeLocationInvalid.
func (c *Client) CheckSource(loc Location) error {
	switch {
	case loc.IsS3():
		return checkObject("check source", loc)
	case loc.scheme == schemeHTTPS, loc.scheme == schemeHTTP && c.config.AllowHTTP:
		return nil
	case loc.scheme == schemeHTTP:
		return &Error{Op: "check source", Location: loc, Code: CodeLocationInvalid, Err: errors.New("http:// is not allowed here; use https://")}
	default:
		return &Error{Op: "check source", Location: loc, Code: CodeLocationInvalid, Err: errors.New("no location")}
	}
}

// checkObject makes sure that loc names one object; Join may have built it.
func checkObject(op string, loc Location) error {
	err, code := checkKey(loc.Key()), CodeLocationInvalid
	switch {
	case errors.Is(err, errKeyTooLong):
		code = CodeKeyTooLong
	case !loc.IsS3():
		err = errors.New("it is no S3 location")
	case loc.Key() == "":
		err = errors.New("it names a bucket and no object")
	}
	if err != nil {
		return &Error{Op: op, Location: loc, Code: code, Err: err}
	}
	return nil
}

// checkRedirect follows a few redirects within one scheme, and tells the next
// server nothing of the last one's query.
func checkRedirect(next *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return codedf(CodeSourceRefused, "more than %d redirects", maxRedirects)
	}
	if next.URL.Scheme != via[0].URL.Scheme {
		return codedf(CodeSourceRefused, "redirected from %s to another scheme", via[0].URL.Scheme)
	}
	next.Header.Del("Referer")
	return nil
}
