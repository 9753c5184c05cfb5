package api

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"weir/api/view"
)

// docsHTML needs no script and nothing from elsewhere: fleets have no way out to a CDN.
//
//go:embed docs.html
var docsHTML string

// document adds the pages that describe all others; both are made once, here.
func (s *server) document() error {
	spec, err := OpenAPI(s)
	if err != nil {
		return err
	}
	page, err := s.docsPage()
	if err != nil {
		return err
	}
	s.mux.HandleFunc("GET /openapi.json", fixed("application/openapi+json", spec))
	s.mux.HandleFunc("GET /docs", fixed("text/html; charset=utf-8", page))
	return nil
}

func fixed(contentType string, text []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
		_, _ = w.Write(text)
	}
}

// operation is a route as the page shows it.
type operation struct {
	Method, Path string
	*huma.Operation
	Open    bool
	Body    string
	Answers []answer
}

type answer struct {
	Status, Description, Schema string
}

// shape is a schema as the page shows it.
type shape struct {
	Name   string
	Fields []field
}

type field struct {
	Name, Type, Limits, Description string
	Required                        bool
}

func (s *server) docsPage() ([]byte, error) {
	page, err := template.New("docs").Parse(docsHTML)
	if err != nil {
		return nil, fmt.Errorf("docs page: %w", err)
	}
	doc := s.huma.OpenAPI()
	var text bytes.Buffer
	if err := page.Execute(&text, map[string]any{
		"Info": doc.Info, "Operations": operations(doc), "Shapes": shapes(doc.Components.Schemas.Map()),
	}); err != nil {
		return nil, fmt.Errorf("docs page: %w", err)
	}
	return text.Bytes(), nil
}

func operations(doc *huma.OpenAPI) (list []operation) {
	for path, item := range doc.Paths {
		for method, op := range map[string]*huma.Operation{http.MethodGet: item.Get, http.MethodPost: item.Post} {
			if op == nil {
				continue
			}
			shown := operation{Method: method, Path: path, Operation: op, Open: len(op.Security) == 0}
			if op.RequestBody != nil {
				shown.Body = schemaName(op.RequestBody.Content)
			}
			for status, response := range op.Responses {
				shown.Answers = append(shown.Answers, answer{status, response.Description, schemaName(response.Content)})
			}
			slices.SortFunc(shown.Answers, func(a, b answer) int { return strings.Compare(a.Status, b.Status) })
			list = append(list, shown)
		}
	}
	slices.SortFunc(list, func(a, b operation) int {
		return strings.Compare(strings.Join(a.Tags, "")+a.Path+a.Method, strings.Join(b.Tags, "")+b.Path+b.Method)
	})
	slices.Reverse(list)
	return list
}

func schemaName(content map[string]*huma.MediaType) string {
	for _, media := range content {
		if media.Schema != nil {
			return typeName(media.Schema)
		}
	}
	return ""
}

func shapes(schemas map[string]*huma.Schema) (list []shape) {
	for name, schema := range schemas {
		shown := shape{Name: name}
		for fieldName, s := range schema.Properties {
			shown.Fields = append(shown.Fields, field{
				Name: fieldName, Type: typeName(s), Limits: limits(s), Description: s.Description,
				Required: slices.Contains(schema.Required, fieldName),
			})
		}
		slices.SortFunc(shown.Fields, func(a, b field) int { return strings.Compare(a.Name, b.Name) })
		list = append(list, shown)
	}
	slices.SortFunc(list, func(a, b shape) int { return strings.Compare(a.Name, b.Name) })
	return list
}

func typeName(s *huma.Schema) string {
	switch {
	case s.Ref != "":
		return s.Ref[strings.LastIndexByte(s.Ref, '/')+1:]
	case len(s.OneOf) > 0:
		return typeName(s.OneOf[0]) + " or null"
	case s.Type == huma.TypeArray:
		return "array of " + typeName(s.Items)
	case s.Type == "":
		return "anything"
	case s.Nullable:
		return s.Type + " or null"
	}
	return s.Type
}

func limits(s *huma.Schema) string {
	var parts []string
	if s.Minimum != nil && s.Maximum != nil {
		parts = append(parts, plainNumber(*s.Minimum)+" to "+plainNumber(*s.Maximum))
	}
	if s.MaxLength != nil {
		parts = append(parts, "up to "+strconv.Itoa(*s.MaxLength)+" characters")
	}
	if s.MinItems != nil && s.MaxItems != nil {
		parts = append(parts, strconv.Itoa(*s.MinItems)+" to "+strconv.Itoa(*s.MaxItems)+" entries")
	}
	if s.PatternDescription != "" {
		parts = append(parts, s.PatternDescription)
	}
	if len(s.Enum) > 0 {
		parts = append(parts, "one of "+strings.Trim(fmt.Sprint(s.Enum), "[] "))
	}
	if s.Default != nil {
		parts = append(parts, fmt.Sprintf("%v if left out", s.Default))
	}
	return strings.Join(parts, "; ")
}

var transcodeType = reflect.TypeFor[view.Transcode]()

// nullable says in the OpenAPI document which objects may be null, which Huma has
// no word for.
func nullable(doc *huma.OpenAPI) {
	schemas := doc.Components.Schemas.Map()
	for name, fields := range map[string][]string{"Transcode": {"error", "callback"}, "Rendition": {"error"}} {
		for _, field := range fields {
			was := schemas[name].Properties[field]
			schemas[name].Properties[field] = &huma.Schema{
				Description: was.Description, OneOf: []*huma.Schema{{Ref: was.Ref}, {Type: "null"}},
			}
		}
	}
	// withoutValues takes it out of every answer.
	delete(schemas["ErrorDetail"].Properties, "value")
}
