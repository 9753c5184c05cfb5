package api

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// form is a schema as the database checks requests by it (weir.form_faults): whole, and
// without what is for people.
type form struct {
	Type       string           `json:"type,omitempty"`
	Properties map[string]*form `json:"properties,omitempty"`
	// Free: its fields are the caller's own.
	Free               *freeForm           `json:"free,omitempty"`
	Required           []string            `json:"required,omitempty"`
	DependentRequired  map[string][]string `json:"dependentRequired,omitempty"`
	Items              *form               `json:"items,omitempty"`
	MinItems           *int                `json:"minItems,omitempty"`
	MaxItems           *int                `json:"maxItems,omitempty"`
	MinLength          *int                `json:"minLength,omitempty"`
	MaxLength          *int                `json:"maxLength,omitempty"`
	Pattern            string              `json:"pattern,omitempty"`
	PatternDescription string              `json:"patternDescription,omitempty"`
	Enum               []any               `json:"enum,omitempty"`
	Minimum            *json.Number        `json:"minimum,omitempty"`
	Maximum            *json.Number        `json:"maximum,omitempty"`
}

// freeForm bounds an object whose fields are the caller's own: labels by those of each, or
// metadata as a whole.
type freeForm struct {
	Most           *int   `json:"most,omitempty"`
	Key            string `json:"key,omitempty"`
	KeyMost        int    `json:"keyMost,omitempty"`
	KeyDescription string `json:"keyDescription,omitempty"`
	Value          *form  `json:"value,omitempty"`
	Bytes          int    `json:"bytes,omitempty"`
	Depth          int    `json:"depth,omitempty"`
	Keys           int    `json:"keys,omitempty"`
}

// Form is the schema of [Submission] for the database, as the text of its migration: what
// a request by SQL is checked by is what the API checks by.
func Form() ([]byte, error) {
	registry := huma.NewMapRegistry("#/", huma.DefaultSchemaNamer)
	of, err := formOf(registry, registry.Schema(reflect.TypeFor[Submission](), true, ""))
	if err != nil {
		return nil, fmt.Errorf("describe a submission: %w", err)
	}
	text, err := json.MarshalIndent(of, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("describe a submission: %w", err)
	}
	const quote = "$form$"
	if strings.Contains(string(text), quote) {
		return nil, fmt.Errorf("describe a submission: it holds %s", quote)
	}
	return []byte("-- The form of a request, which the API checks too: written by `make generate`, never by hand.\n" +
		"CREATE OR REPLACE FUNCTION weir.submission_form() RETURNS jsonb\n    LANGUAGE sql IMMUTABLE\n    AS $function$ SELECT " +
		quote + string(text) + quote + "::jsonb $function$;\n" +
		"REVOKE ALL ON FUNCTION weir.submission_form() FROM PUBLIC;\n"), nil
}

func formOf(registry huma.Registry, s *huma.Schema) (*form, error) {
	if s.Ref != "" {
		s = registry.SchemaFromRef(s.Ref)
	}
	pattern, err := postgresPattern(s.Pattern)
	if err != nil {
		return nil, err
	}
	f := &form{
		DependentRequired: s.DependentRequired,
		Type:              s.Type, Required: s.Required, MinItems: s.MinItems, MaxItems: s.MaxItems, MinLength: s.MinLength, MaxLength: s.MaxLength,
		Pattern: pattern, PatternDescription: s.PatternDescription, Enum: s.Enum, Minimum: exactly(s.Minimum), Maximum: exactly(s.Maximum),
	}
	if isFree(s) {
		if f.Free, err = freeFormOf(registry, s); err != nil {
			return nil, err
		}
	}
	if s.Items != nil {
		if f.Items, err = formOf(registry, s.Items); err != nil {
			return nil, err
		}
	}
	for name, property := range s.Properties {
		if f.Properties == nil {
			f.Properties = map[string]*form{}
		}
		if f.Properties[name], err = formOf(registry, property); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return f, nil
}

func freeFormOf(registry huma.Registry, s *huma.Schema) (*freeForm, error) {
	value, labels := s.AdditionalProperties.(*huma.Schema)
	if !labels {
		return &freeForm{Bytes: maxMetadata, Depth: maxMetadataDepth, Keys: maxMetadataKeys}, nil
	}
	of, err := formOf(registry, value)
	if err != nil {
		return nil, err
	}
	return &freeForm{Most: s.MaxProperties, Key: labelKeyPattern, KeyMost: maxLabelKey, KeyDescription: labelKeyPatternDescription, Value: of}, nil
}

// exactly is a number as plainNumber writes it, and never as 1e+09.
func exactly(f *float64) *json.Number {
	if f == nil {
		return nil
	}
	return new(json.Number(plainNumber(*f)))
}

// postgresPattern is a pattern in Postgres' words. What both have means the same in both,
// but for classes of Unicode, of which Postgres has none.
func postgresPattern(pattern string) (string, error) {
	pattern = strings.ReplaceAll(pattern, `\P{Cc}`, `[^\u0001-\u001f\u007f-\u009f]`)
	for _, none := range []string{`\p`, `\P`, `(?i`, `(?s`, `(?m`, `(?P`, `\z`, `\Q`} {
		if strings.Contains(pattern, none) {
			return "", fmt.Errorf("the pattern %s has %s, which Postgres has not: write it otherwise, or put it into postgresPattern", pattern, none)
		}
	}
	return pattern, nil
}

// isFree says whether the fields of an object are the caller's own.
func isFree(s *huma.Schema) bool {
	open, said := s.AdditionalProperties.(bool)
	return s.AdditionalProperties != nil && (!said || open)
}
