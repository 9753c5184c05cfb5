package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"weir/jobs"
	"weir/jobs/tenants"
	"weir/storage"
)

// Reader reads the bodies of POST /v1/transcodes that came another way.
type Reader struct {
	server *server
	body   jsonBody[Submission]
}

// NewReader returns the reader of an API of this Config, of which only what requests are
// checked by must be set.
func NewReader(cfg *Config) *Reader {
	registry := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	return &Reader{
		server: &server{cfg: *cfg, stores: &tenants.Stores{DB: cfg.Transcodes.DB}},
		body:   jsonBody[Submission]{registry: registry, schema: registry.Schema(reflect.TypeFor[Submission](), true, "")},
	}
}

// Read makes a request of a tenant's body, as the API does. refused is all that is wrong
// with it, each with its field; then the request is what could be read of it.
func (r *Reader) Read(ctx context.Context, tenant string, text []byte) (req *jobs.Request, refused []string, err error) {
	tree, err := parseBody(text)
	if err != nil {
		return nil, nil, fmt.Errorf("read a request: %w", err)
	}
	errs := check(r.body.registry, r.body.schema, tree, "body")
	if len(errs) > 0 { // by a form that is newer than what the database checked it by
		var submission Submission
		_ = json.Unmarshal(text, &submission) // as far as it goes
		w := &wanted{Request: jobs.Request{Tenant: tenant, Form: jobs.FormV1, Shown: json.RawMessage("{}"), Body: text}}
		w.readable(&submission)
		return &w.Request, sayings(errs), nil
	}
	submission, canonical, err := r.body.decode(tree)
	if err != nil {
		return nil, nil, fmt.Errorf("read a request: %w", err)
	}
	wanted, errs := r.server.wanted(&submission)
	wanted.Tenant, wanted.ExternalID, wanted.Body = tenant, submission.ExternalID, canonical
	if len(errs) == 0 {
		if errs, err = r.server.lead(ctx, wanted); err != nil {
			return nil, nil, fmt.Errorf("read a request: %w", err)
		}
	}
	if wanted.Shown, err = json.Marshal(&submission); err != nil {
		return nil, nil, fmt.Errorf("describe a request: %w", err)
	}
	if len(errs) > 0 {
		wanted.readable(&submission)
	}
	return &wanted.Request, sayings(errs), nil
}

// readable takes over of a refused request the places that are some, so that it can be
// shown, and told of its end.
func (w *wanted) readable(submission *Submission) {
	for _, place := range []struct {
		text        SecretURL
		whole, show *string
	}{
		{submission.Source.URL, &w.SourceURL, &w.SourceShown},
		{submission.Output.URL, &w.OutputURL, &w.OutputShown},
		{submission.CallbackURL, &w.CallbackURL, &w.CallbackShown},
	} {
		if location, err := storage.ParseLocation(string(place.text)); err == nil {
			*place.whole, *place.show = string(location.Secret()), location.String()
		}
	}
}

func sayings(errs []error) (words []string) {
	for _, err := range errs {
		if detail, ok := errors.AsType[*huma.ErrorDetail](err); ok {
			words = append(words, detail.Location+" "+detail.Message)
		}
	}
	return words
}
