package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"weir/api/events"
	"weir/api/view"
	"weir/db/dbsqlc"
	"weir/jobs"
	"weir/jobs/tenants"
	"weir/storage"
)

// version of the API's description; a number of its own, apart from Weir's.
const version = "1"

// bearer is the security scheme's name in the OpenAPI document.
const bearer = "bearer"

// Config is what New needs: Transcodes, Tokens, Ready and Logger must be set.
type Config struct {
	Transcodes *jobs.Transcodes
	// Accept commits a request; nil: Transcodes does.
	Accept func(ctx context.Context, req *jobs.Request) (t dbsqlc.Transcode, created bool, err error)
	Tokens *Tokens
	// Events is run by the caller.
	Events *events.Hub
	// Ready asks every dependency, each named, how it is: nil for a good one. It
	// has to end with its context.
	Ready  func(ctx context.Context) map[string]error
	Logger *slog.Logger
	// Preview makes dry runs, and tries the outputs of Studio's form; nil: nobody does.
	Preview Previewer
	// Gateways are for sources of the form ipfs:// and ar://.
	Gateways storage.Gateways
	// AllowHTTPSource also takes sources over http://, without TLS.
	AllowHTTPSource bool
	// Rate is how many requests a second a token may send to this daemon, with bursts of
	// twice as many; FailedAuth is how many a minute without a known token one address
	// may. 0: any number.
	Rate, FailedAuth int
}

type server struct {
	cfg Config
	// stores are where s3:// leads.
	stores *tenants.Stores
	mux    *http.ServeMux
	huma   huma.API
	// rates bound what callers ask.
	rates *rates
}

// New returns the API as a handler. It is safe for concurrent use; Serve gives it
// the limits of a public server.
func New(cfg *Config) (http.Handler, error) {
	if cfg.Transcodes == nil || cfg.Tokens == nil || cfg.Events == nil || cfg.Ready == nil || cfg.Logger == nil {
		return nil, errors.New("api: Transcodes, Tokens, Events, Ready and Logger must be set")
	}
	s := &server{
		cfg: *cfg, mux: http.NewServeMux(), stores: &tenants.Stores{},
		rates: newRates(len(cfg.Tokens.list), cfg.Rate, cfg.FailedAuth),
	}
	if s.cfg.Accept == nil {
		s.cfg.Accept = cfg.Transcodes.Accept
	}
	if cfg.Transcodes != nil {
		s.stores.DB = cfg.Transcodes.DB
	}
	s.huma = humago.New(s.mux, huma.Config{
		OpenAPI:       description(),
		Formats:       map[string]huma.Format{"application/json": huma.DefaultJSONFormat, "json": huma.DefaultJSONFormat},
		DefaultFormat: "application/json",
		Transformers:  []huma.Transformer{withoutValues},
	})
	s.huma.UseMiddleware(s.authorize, s.legible)
	s.routes()
	describeRates(s.huma.OpenAPI())
	nullable(s.huma.OpenAPI())
	if err := s.document(); err != nil {
		return nil, err
	}
	return s, nil
}

// routes is the table of all that is served; document adds its own two pages.
func (s *server) routes() {
	tenant := []map[string][]string{{bearer: {}}}
	submission, file, vod := bodyOf[Submission](s.huma), bodyOf[FileSubmission](s.huma), bodyOf[VODSubmission](s.huma)

	// Studio
	huma.Register(s.huma, huma.Operation{
		OperationID: "submit-transcode", Method: http.MethodPost, Path: "/v1/transcodes", Tags: []string{"transcodes"},
		Summary: "Ask for a transcode",
		Description: "202: it is committed and will reach an end. 200: this tenant has sent the same body under the same " +
			"external_id before; the answer is the first one as it stands now. Without an external_id every post is a new transcode. " +
			"With dry_run nothing is kept: 200 with what would become of it.",
		DefaultStatus: http.StatusAccepted, Security: tenant, RejectUnknownQueryParameters: true,
		Responses: s.submitted(),
		Errors: []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusConflict,
			http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity, http.StatusTooManyRequests, http.StatusServiceUnavailable},
	}, func(ctx context.Context, in *v1Input) (*submitOutput, error) {
		return s.submit(ctx, submission, in)
	})
	huma.Register(s.huma, huma.Operation{
		OperationID: "submit-file", Method: http.MethodPost, Path: "/api/transcode/file", Tags: []string{"transcodes"},
		Summary: "Ask for a transcode, in the old form",
		Description: "Answers at once with the transcode's id, which is in every callback; renditions go to the folder of " +
			"source_location. New callers use POST /v1/transcodes.",
		Security: tenant,
		Errors: []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden,
			http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity, http.StatusTooManyRequests, http.StatusServiceUnavailable},
	}, func(ctx context.Context, in *submitInput) (*fileOutput, error) { return s.submitFile(ctx, file, in) })
	file.document(s.huma, "/api/transcode/file")
	huma.Register(s.huma, huma.Operation{
		OperationID: "submit-vod", Method: http.MethodPost, Path: vodPath, Tags: []string{"transcodes"},
		Summary: "Ask for a transcode, in the form of Studio's task runner",
		Description: "Answers at once with the transcode's id. The same body under the same external_id again is the first one; another " +
			"body takes its place: one that is still open is cancelled. 4xx but 429: this request can't succeed.",
		Security: tenant, Responses: s.vodRefusals(),
	}, func(ctx context.Context, in *submitInput) (*vodOutput, error) { return s.submitVOD(ctx, vod, in) })
	vod.document(s.huma, vodPath)

	// Studio and operators
	huma.Register(s.huma, huma.Operation{
		OperationID: "list-transcodes", Method: http.MethodGet, Path: "/v1/transcodes", Tags: []string{"transcodes"},
		Summary:     "List transcodes, newest first",
		Description: "Pages hold together while new transcodes come in: none shows twice, none is left out.",
		Security:    tenant, RejectUnknownQueryParameters: true,
		Errors: []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusUnprocessableEntity, http.StatusServiceUnavailable},
	}, s.list)
	huma.Register(s.huma, huma.Operation{
		OperationID: "get-transcode", Method: http.MethodGet, Path: "/v1/transcodes/{id}", Tags: []string{"transcodes"},
		Summary: "Show a transcode", Security: tenant, RejectUnknownQueryParameters: true,
		Errors: []int{http.StatusUnauthorized, http.StatusNotFound, http.StatusUnprocessableEntity, http.StatusServiceUnavailable},
	}, s.get)
	huma.Register(s.huma, huma.Operation{
		OperationID: "cancel-transcode", Method: http.MethodPost, Path: "/v1/transcodes/{id}/cancel", Tags: []string{"transcodes"},
		Summary: "Cancel a transcode",
		Description: "It is cancelled when this answers, and its callback is due; hosts clean up behind it. Cancelling again is no " +
			"error. 409: it has succeeded or failed before.",
		Security: tenant, RejectUnknownQueryParameters: true,
		Errors: []int{http.StatusUnauthorized, http.StatusNotFound, http.StatusConflict, http.StatusUnprocessableEntity, http.StatusServiceUnavailable},
	}, s.cancel)
	huma.Register(s.huma, huma.Operation{
		OperationID: "retry-transcode", Method: http.MethodPost, Path: "/v1/transcodes/{id}/retry", Tags: []string{"transcodes"},
		Summary: "Retry a failed transcode",
		Description: "A new run begins: new attempts for the renditions that are not ok, and at its end a callback of its own; one of the run " +
			"before that is not delivered goes out no more. With run, asking again is safe. 409: it has not failed.",
		Security: tenant, RejectUnknownQueryParameters: true,
		Errors: []int{http.StatusUnauthorized, http.StatusNotFound, http.StatusConflict, http.StatusUnprocessableEntity, http.StatusServiceUnavailable},
	}, s.retry)
	huma.Register(s.huma, huma.Operation{
		OperationID: "redeliver-callback", Method: http.MethodPost, Path: "/v1/transcodes/{id}/callback/redeliver", Tags: []string{"transcodes"},
		Summary: "Send the terminal callback again",
		Description: "Byte for byte and under its event id, at once, in whatever state it is; nothing else changes. Asking again before it " +
			"was sent changes nothing. 409: the transcode has not ended.",
		DefaultStatus: http.StatusAccepted, Security: tenant, RejectUnknownQueryParameters: true,
		Errors: []int{http.StatusUnauthorized, http.StatusNotFound, http.StatusConflict, http.StatusUnprocessableEntity, http.StatusServiceUnavailable},
	}, s.redeliver)
	huma.Register(s.huma, huma.Operation{
		OperationID: "list-usage", Method: http.MethodGet, Path: "/v1/usage", Tags: []string{"usage"},
		Summary:     "What was used, by day",
		Description: "Of each day in UTC, the newest first: the runs that ended on it, and what they made. Days without any are left out. It outlives the transcodes' own rows.",
		Security:    tenant, RejectUnknownQueryParameters: true,
		Errors: []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusUnprocessableEntity, http.StatusServiceUnavailable},
	}, s.usage)

	stream := s.streamed()
	huma.Register(s.huma, huma.Operation{
		OperationID: "transcode-events", Method: http.MethodGet, Path: "/v1/transcodes/{id}/events", Tags: []string{"events"},
		Summary: "Follow a transcode",
		Description: "Server-Sent Events: all that has become of it, then what becomes of it, to its end, which the event `end` tells. " +
			"The data of each but `end` and `bye` is an Event.",
		Security: tenant, RejectUnknownQueryParameters: true, Responses: stream,
		Errors: []int{http.StatusUnauthorized, http.StatusNotFound, http.StatusUnprocessableEntity, http.StatusTooManyRequests, http.StatusServiceUnavailable},
	}, s.transcodeEvents)
	huma.Register(s.huma, huma.Operation{
		OperationID: "events", Method: http.MethodGet, Path: "/v1/events", Tags: []string{"events"},
		Summary: "Follow all transcodes",
		Description: "Server-Sent Events of the tenant's transcodes, with an operator's token of everybody's, from now on, or behind " +
			"Last-Event-ID. The data of each but `bye` is an Event.",
		Security: tenant, RejectUnknownQueryParameters: true, Responses: s.streamed(),
		Errors: []int{http.StatusUnauthorized, http.StatusUnprocessableEntity, http.StatusTooManyRequests, http.StatusServiceUnavailable},
	}, s.tenantEvents)

	// Load balancers
	huma.Register(s.huma, huma.Operation{
		OperationID: "health", Method: http.MethodGet, Path: "/healthz", Tags: []string{"probes"},
		Summary: "Is the process alive", Description: "Asks nothing but the process itself.",
	}, s.health)
	huma.Register(s.huma, huma.Operation{
		OperationID: "ready", Method: http.MethodGet, Path: "/readyz", Tags: []string{"probes"},
		Summary: "Can it do its work", Description: "Asks every dependency. 503: those that say failing are down; the log says why.",
		Responses: map[string]*huma.Response{"503": {Description: "A dependency is down", Content: map[string]*huma.MediaType{
			"application/json": {Schema: huma.SchemaFromType(s.huma.OpenAPI().Components.Schemas, readinessType)},
		}}},
	}, s.ready)
}

// vodRefusals describes the refusals of Studio's form.
func (s *server) vodRefusals() map[string]*huma.Response {
	schema := s.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[VODError](), true, "")
	answers := map[string]*huma.Response{}
	for _, status := range vodErrors() {
		answers[strconv.Itoa(status)] = &huma.Response{
			Description: http.StatusText(status), Content: map[string]*huma.MediaType{jsonType: {Schema: schema}},
		}
	}
	return answers
}

// submitted describes what a post answers: a Transcode, and of a dry run a DryRun.
func (s *server) submitted() map[string]*huma.Response {
	schemas := s.huma.OpenAPI().Components.Schemas
	transcode := schemas.Schema(transcodeType, true, "")
	dryRun := schemas.Schema(reflect.TypeFor[DryRun](), true, "")
	answer := func(text string, schema *huma.Schema) *huma.Response {
		return &huma.Response{Description: text, Content: map[string]*huma.MediaType{jsonType: {Schema: schema}}}
	}
	return map[string]*huma.Response{
		"200": answer("The first one under this external_id; or what a dry run found", &huma.Schema{OneOf: []*huma.Schema{transcode, dryRun}}),
		"202": answer("Accepted", transcode),
	}
}

// streamed describes an answer that is a stream of Events.
func (s *server) streamed() map[string]*huma.Response {
	return map[string]*huma.Response{fmt.Sprint(http.StatusOK): {Description: "A stream of Events, each as event, id and data", Content: map[string]*huma.MediaType{
		streamType: {Schema: s.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[view.Event](), true, "")},
	}}}
}

func description() *huma.OpenAPI {
	return &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info: &huma.Info{
			Title: "Weir", Version: version,
			Description: "Turns one request (a source video, a list of profiles, a callback URL) into rendition files in S3.",
		},
		Components: &huma.Components{
			Schemas: huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer),
			SecuritySchemes: map[string]*huma.SecurityScheme{
				bearer: {Type: "http", Scheme: "bearer", Description: "A token of WEIR_API_TOKENS. It names the tenant."},
			},
		},
	}
}

// OpenAPI returns the API's OpenAPI 3.1 document as indented JSON, the same bytes
// in every build of one version.
func OpenAPI(handler http.Handler) ([]byte, error) {
	s, ok := handler.(*server)
	if !ok {
		return nil, fmt.Errorf("openapi: a %T is not what New returned", handler)
	}
	text, err := json.MarshalIndent(s.huma.OpenAPI(), "", "  ")
	if err != nil {
		return nil, fmt.Errorf("openapi: %w", err)
	}
	return append(text, '\n'), nil
}
