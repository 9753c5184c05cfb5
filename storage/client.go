package storage

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// How a transfer is cut. Memory is bounded by these: a fetch streams, an
// upload holds at most partConcurrency+2 parts.
const (
	// partBytes is above S3's least part (5 MiB) and, at S3's most parts
	// (10,000), enough for 78 GiB; the transfer manager takes larger parts beyond.
	partBytes = 8 << 20
	// partConcurrency fills a 1 Gbit/s line at the 30 to 80 MB/s that S3 gives one connection.
	partConcurrency = 4
)

// The defaults of Config.
const (
	defaultRegion = "us-east-1"
	// defaultStall is above the pause of a server that assembles a large upload.
	defaultStall = 60 * time.Second
	// With 6 attempts and 5 s at most between them a call is given up after
	// some 15 s of refusals; longer outages are the caller's to wait for.
	defaultAttempts = 6
	defaultBackoff  = 5 * time.Second
)

// abortTimeout is what cleaning up may take after the caller's context ended.
const abortTimeout = 15 * time.Second

// maxRedirects is more than any source seen needs (CDN, then region).
const maxRedirects = 5

// Config sets up a Client. Its zero value reaches AWS in us-east-1 without
// credentials.
type Config struct {
	// Endpoint is the base URL of the server behind s3://bucket/key, for
	// example "https://s3.example.com:9000"; "" is AWS.
	Endpoint string
	// Region signs the requests to every S3 server; "" is us-east-1.
	Region string
	// AccessKey and SecretKey are for s3://bucket/key. Both empty is anonymous.
	// Locations with a host carry their own, and never get these.
	AccessKey string
	SecretKey Secret
	// PathStyle puts the bucket into the path for s3://; for s3+http(s) that
	// is always so. Most servers other than AWS need it.
	PathStyle bool
	// AllowHTTP permits http:// sources; https:// is always permitted.
	AllowHTTP bool
	// PlainUploads sends no checksums, for servers that refuse them. An upload
	// is then verified by reading the object back.
	PlainUploads bool
	// StallTimeout ends a request that moved no byte for so long; 0 is 60 s.
	StallTimeout time.Duration
	// MaxAttempts is how often a request, or a part of one, is tried; 0 is 6.
	MaxAttempts int
	// MaxBackoff is the longest pause between attempts; 0 is 5 s.
	MaxBackoff time.Duration
}

// Client moves files. It is safe for concurrent use.
type Client struct {
	// config is a pointer so that printing a Client doesn't print a Config.
	config *Config
	s3HTTP *http.Client
	web    *http.Client
}

// New checks cfg and returns a Client. It opens no connection.
func New(cfg *Config) (*Client, error) {
	config := *cfg
	config.Region = cmp.Or(config.Region, defaultRegion)
	config.StallTimeout = cmp.Or(config.StallTimeout, defaultStall)
	config.MaxAttempts = cmp.Or(config.MaxAttempts, defaultAttempts)
	config.MaxBackoff = cmp.Or(config.MaxBackoff, defaultBackoff)
	if config.Endpoint != "" {
		u, err := url.Parse(config.Endpoint)
		// The error of url.Parse would repeat what somebody may have put before an "@".
		if err != nil || u.Host == "" || u.User != nil || u.Scheme != schemeHTTP && u.Scheme != schemeHTTPS {
			return nil, errors.New("storage: the S3 endpoint is not of the form https://host[:port]; credentials are set apart from it")
		}
	}
	if (config.AccessKey == "") != (config.SecretKey == "") {
		return nil, errors.New("storage: of S3 access key and secret key only one is set; set both, or none for anonymous access")
	}
	if config.StallTimeout < 0 || config.MaxAttempts < 0 || config.MaxBackoff < 0 {
		return nil, errors.New("storage: stall timeout, attempts and backoff can't be negative")
	}
	transport := newTransport(config.StallTimeout)
	return &Client{
		config: &config,
		s3HTTP: &http.Client{
			Transport: transport,
			// What is signed for one host is not for another.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		web: &http.Client{Transport: transport, CheckRedirect: checkRedirect},
	}, nil
}

// Close closes idle connections. The Client stays usable.
func (c *Client) Close() { c.s3HTTP.CloseIdleConnections() }

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

// CheckOutput reports whether loc can hold outputs: an S3 location, with or
// without a key. It opens no connection. The error is an *Error with
// CodeLocationInvalid.
func (c *Client) CheckOutput(loc Location) error {
	if !loc.IsS3() {
		return &Error{Op: "check output", Location: loc, Code: CodeLocationInvalid, Err: errors.New("an output must be s3://, s3+https:// or s3+http://")}
	}
	return nil
}

// checkObject makes sure that loc names one object; Join may have built it.
func checkObject(op string, loc Location) error {
	err := checkKey(loc.Key())
	switch {
	case !loc.IsS3():
		err = errors.New("it is no S3 location")
	case loc.Key() == "":
		err = errors.New("it names a bucket and no object")
	}
	if err != nil {
		return &Error{Op: op, Location: loc, Code: CodeLocationInvalid, Err: err}
	}
	return nil
}

// s3 returns a client of the SDK for the server and the credentials of loc.
func (c *Client) s3(loc Location) *s3.Client {
	key, secret, ok := loc.credentials()
	endpoint, pathStyle := loc.endpoint(), true
	if endpoint == "" {
		key, secret, ok = c.config.AccessKey, string(c.config.SecretKey), c.config.AccessKey != ""
		endpoint, pathStyle = c.config.Endpoint, c.config.PathStyle
	}
	options := s3.Options{
		Region:       c.config.Region,
		Credentials:  aws.AnonymousCredentials{},
		UsePathStyle: pathStyle,
		HTTPClient:   c.s3HTTP,
		Retryer: retry.NewStandard(func(o *retry.StandardOptions) {
			o.MaxAttempts = c.config.MaxAttempts
			o.MaxBackoff = c.config.MaxBackoff
		}),
	}
	if ok {
		options.Credentials = credentials.NewStaticCredentialsProvider(key, secret, "")
	}
	if endpoint != "" {
		options.BaseEndpoint = &endpoint
	}
	if c.config.PlainUploads {
		options.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
	}
	return s3.New(options)
}

// transfer returns a transfer manager over client.
func (c *Client) transfer(client *s3.Client, p *progress) *transfermanager.Client {
	return transfermanager.New(client, func(o *transfermanager.Options) {
		o.PartSizeBytes = partBytes
		o.MultipartUploadThreshold = partBytes
		o.Concurrency = partConcurrency
		o.GetObjectType = types.GetObjectRanges
		o.PartBodyMaxRetries = c.config.MaxAttempts
		// A range carries no checksum of its own; length and ETag are checked.
		o.DisableChecksumValidation = true
		o.FailTimeout = abortTimeout
		if c.config.PlainUploads {
			o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		}
		o.ObjectProgressListeners.Register(p)
	})
}

// missing turns a 404 on loc into the code that says what is missing: a HEAD
// has no body, so that S3 can't say whether it was the bucket.
func (c *Client) missing(ctx context.Context, client *s3.Client, loc Location, err error) error {
	if code, _ := classify(loc, err); code != CodeObjectMissing || ctx.Err() != nil {
		return err
	}
	bucket := loc.Bucket()
	if _, bucketErr := client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &bucket}); bucketErr != nil {
		if code, _ := classify(loc, bucketErr); code == CodeObjectMissing || code == CodeBucketMissing {
			return verdictf(CodeBucketMissing, "no bucket %q", bucket)
		}
	}
	return err
}

// checkRedirect follows a few redirects within one scheme, and tells the next
// server nothing of the last one's query.
func checkRedirect(next *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return verdictf(CodeSourceRefused, "more than %d redirects", maxRedirects)
	}
	if next.URL.Scheme != via[0].URL.Scheme {
		return verdictf(CodeSourceRefused, "redirected from %s to another scheme", via[0].URL.Scheme)
	}
	next.Header.Del("Referer")
	return nil
}
