package storage

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// mostAsked is how often an operation is begun: every form, and two regions that a
// server names (one may redirect to another's).
const mostAsked = int(formOtherHash) + 3

// server is an S3 server as an operation on one of its buckets speaks to it.
type server struct {
	*s3.Client
	endpoint string // as the location has it, "" is AWS
	bucket   string
	region   string
	form     form
	heard    *atomic.Pointer[string] // the region that a refusal named
}

// serve calls do with the server of loc, and again as long as a refusal teaches how to
// speak to it. What helped is remembered.
func (c *Client) serve(loc Location, do func(*server) error) error {
	first := c.server(loc, "", 0)
	server := first
	for asked := 1; ; asked++ {
		err := do(server)
		if err == nil {
			if server.form != first.form {
				c.lessons.keepForm(server.endpoint, server.form)
			}
			if server.region != first.region {
				c.lessons.keepRegion(server.endpoint, server.bucket, server.region)
			}
			return nil
		}
		_, refused := errors.AsType[*refusal](err)
		heard := server.heard.Load()
		switch {
		case asked == mostAsked:
			return err
		case heard != nil && *heard != server.region:
			server = c.server(loc, *heard, server.form)
		case refused && server.form < formOtherHash:
			server = c.server(loc, server.region, server.form+1)
		default:
			return err
		}
	}
}

// server returns the server of loc, spoken to in region and form, or in those that are
// known to suit it better.
func (c *Client) server(loc Location, region string, form form) *server {
	keys, endpoint, pathStyle, http := loc.hidden, loc.endpoint(), true, c.s3HTTP
	if endpoint == "" {
		keys, endpoint, pathStyle, http = c.keys, c.config.Endpoint, c.config.PathStyle, c.own
	}
	s := &server{endpoint: endpoint, bucket: loc.Bucket(), heard: &atomic.Pointer[string]{}}
	s.form = max(form, c.lessons.form(endpoint))
	s.region = cmp.Or(region, c.lessons.region(endpoint, s.bucket), c.regionFor(loc))
	options := s3.Options{
		Region:       s.region,
		Credentials:  aws.AnonymousCredentials{},
		UsePathStyle: pathStyle,
		HTTPClient:   &listener{http, s.heard},
		HTTPSignerV4: newSigner(),
		Retryer: retry.NewStandard(func(o *retry.StandardOptions) {
			o.MaxAttempts = c.config.MaxAttempts
			o.MaxBackoff = c.config.MaxBackoff
			o.Retryables = append([]retry.IsErrorRetryable{retry.IsErrorRetryableFunc(neverUnknown)}, o.Retryables...)
		}),
		// What is read is summed up here, and B2 refuses the header that asks for a checksum.
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired,
	}
	if key, secret, ok := keys.credentials(); ok {
		options.Credentials = credentials.NewStaticCredentialsProvider(key, secret, "")
	}
	if endpoint != "" {
		options.BaseEndpoint = aws.String(regionalEndpoint(endpoint, s.region))
	}
	if s.form != formChecksum {
		options.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
	}
	s.Client = s3.New(options)
	return s
}

// neverUnknown keeps the SDK from asking again for a host that is not known.
func neverUnknown(err error) aws.Ternary {
	if hostUnknown(err) {
		return aws.FalseTernary
	}
	return aws.UnknownTernary
}

// regionFor is the region of loc before its server said anything. For s3:// the setting
// is about this one server; for others it is a guess, behind what their names tell.
func (c *Client) regionFor(loc Location) string {
	if loc.endpoint() == "" {
		return cmp.Or(loc.region, c.config.Region, regionOf(hostOf(c.config.Endpoint)), awsRegion)
	}
	return cmp.Or(loc.region, regionOf(loc.host), c.config.Region, awsRegion)
}

// hostOf returns the host of an endpoint that New took.
func hostOf(endpoint string) string {
	_, host, _ := strings.Cut(endpoint, "://")
	host, _, _ = strings.Cut(host, "/")
	return host
}

// ask turns the answer to a HEAD on key into one that says more: a HEAD has no body in
// which S3 could tell that the region is wrong, that it was the bucket that is missing,
// or (versitygw) the access key. A request with a body tells.
func (s *server) ask(ctx context.Context, key string, err error) error {
	switch httpStatus(err) {
	case http.StatusNotFound, http.StatusBadRequest, http.StatusMovedPermanently, http.StatusTemporaryRedirect:
	default:
		return err
	}
	if heard := s.heard.Load(); heard != nil && *heard != s.region {
		return err
	}
	one := int32(1)
	_, listErr := s.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &s.bucket, Prefix: &key, MaxKeys: &one})
	if listErr == nil || httpStatus(listErr) == http.StatusForbidden { // a key may read and not list
		return err
	}
	return listErr
}
