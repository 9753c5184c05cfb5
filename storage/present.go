package storage

import (
	"context"
	"errors"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// ErrOvertaken is what an Upload ends with (errors.Is) where something else lies at its
// place by now than UploadOptions.Over says.
var ErrOvertaken = errors.New("another object lies there by now")

// byKey is the name of UploadOptions.By among an object's metadata: x-amz-meta-weir.
const byKey = "weir"

// Present is what lies at a location, for those who may replace that and nothing else. The
// zero value is whatever lies there.
type Present struct {
	// By is the UploadOptions.By of its upload; "": it had none, or nothing lies there.
	By string

	known bool
	etag  string // "": nothing lies there
}

// Look says what lies at loc. A server that does not tell this key leads to the zero value.
func (c *Client) Look(ctx context.Context, loc Location) (present Present, err error) {
	const op = "look"
	defer func() { c.done(op, 0, err) }()
	if err := checkObject(op, loc); err != nil {
		return present, err
	}
	err = c.serve(loc, func(s *server) (err error) {
		present, err = s.present(ctx, loc.Key())
		return err
	})
	if err != nil {
		return Present{}, failure(ctx, op, loc, err)
	}
	return present, nil
}

func (s *server) present(ctx context.Context, key string) (Present, error) {
	head, err := s.head(ctx, key)
	switch status := httpStatus(err); {
	case err == nil:
		// One without an ETag can't be told from its successor.
		return Present{By: head.Metadata[byKey], known: aws.ToString(head.ETag) != "", etag: aws.ToString(head.ETag)}, nil
	case status == http.StatusNotFound:
		return Present{known: true}, nil
	case status == http.StatusForbidden: // also of what is not there, to a key that may not list
		return Present{}, nil
	default:
		return Present{}, s.ask(ctx, key, err)
	}
}

// replace is upload over what opt.Over says, which the server makes sure of where it can.
// AWS has known conditions since 2024; others refuse their headers, or don't read them.
func (c *Client) replace(ctx context.Context, s *server, loc Location, path string, opt *UploadOptions, sent *progress, atEnd func() error) (Object, error) {
	whatever := *opt
	whatever.Over = Present{}
	if !opt.Over.known || c.lessons.unconditional(s.endpoint) {
		return c.upload(ctx, s, loc, path, &whatever, sent, atEnd)
	}
	object, err := c.upload(ctx, s, loc, path, opt, sent, atEnd)
	if err == nil || !overtaken(err) && !refusesForm(err) {
		return object, err
	}
	if httpStatus(err) == http.StatusConflict { // while another write is under way
		return Object{}, ErrOvertaken
	}
	if overtaken(err) {
		present, err := s.present(ctx, loc.Key())
		if err != nil {
			return Object{}, err
		}
		if present.etag != opt.Over.etag {
			return Object{}, ErrOvertaken
		}
	}
	// It does not know the condition, or compares by another ETag than it tells.
	if object, err = c.upload(ctx, s, loc, path, &whatever, sent, atEnd); err == nil {
		c.lessons.keepUnconditional(s.endpoint)
	}
	return object, err
}

// overtaken reports whether err is a server's word on a condition: what lies there is another
// object, or none any more, or is being written just now.
func overtaken(err error) bool {
	switch httpStatus(err) {
	case http.StatusPreconditionFailed:
		return true
	case http.StatusConflict:
		return apiCode(err) == "ConditionalRequestConflict"
	case http.StatusNotFound:
		return apiCode(err) == "NoSuchKey"
	}
	return false
}
