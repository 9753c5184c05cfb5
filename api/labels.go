package api

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"weir/jobs"
)

const (
	// maxMetadata, in bytes of JSON, holds what an application needs to find its own again;
	// each callback and list carries it.
	maxMetadata = 4 << 10
	// maxMetadataDepth counts the object itself.
	maxMetadataDepth = 4
	// maxMetadataKeys are all keys, at every depth.
	maxMetadataKeys = 64
	// maxLabels, maxLabelKey and maxLabelValue: each is a row, found by an index.
	maxLabels, maxLabelKey, maxLabelValue = 16, 64, 128
)

const (
	labelKeyPattern            = `^[a-zA-Z0-9]([a-zA-Z0-9_./-]*[a-zA-Z0-9])?$`
	labelKeyPatternDescription = `letters, digits, '_', '.', '/' and '-' within, up to 64`
)

var (
	labelKey = regexp.MustCompile(labelKeyPattern)
	// credentials are a URL's user and password, or the signature of a presigned one.
	credentials = regexp.MustCompile(`(?i)://[^/?#\s]*@|[?&](x-amz-signature|x-amz-security-token|x-goog-signature|signature|sig|token|access_token|api_key|password)=`)
	// zero is a number that is none, as 0.00 is written.
	zero = regexp.MustCompile(`^-?[0.]+([eE][+-]?[0-9]+)?$`)
)

const credentialsRefused = "holds what looks like a URL with credentials; it is shown and sent on, so leave them out"

// Metadata is an object that is the caller's alone, kept as it was sent.
type Metadata struct{ json.RawMessage }

// Schema implements huma.SchemaProvider.
func (Metadata) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true}
}

// labelsOf gives the schema of labels its limits.
func labelsOf(s *huma.Schema) {
	s.MaxProperties = new(maxLabels)
	value, ok := s.AdditionalProperties.(*huma.Schema)
	if !ok {
		return
	}
	upTo(value, maxLabelValue)
	matching(value, printablePattern, printablePatternDescription)
}

// free checks an object whose keys are the caller's: labels, whose schema says what their
// values are, and metadata, which may be anything within its bounds.
func (c *checker) free(s *huma.Schema, fields map[string]any, at string) {
	if s.MaxProperties != nil && len(fields) > *s.MaxProperties {
		c.refuse(at, "has %d entries; send at most %d", len(fields), *s.MaxProperties)
		return
	}
	value, labels := s.AdditionalProperties.(*huma.Schema)
	if !labels {
		c.metadata(fields, at)
		return
	}
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		place := at
		if plainName(key) {
			place += "." + key
		}
		if len(key) > maxLabelKey || !labelKey.MatchString(key) {
			c.refuse(place, "has a key that is not %s", labelKeyPatternDescription)
			continue
		}
		if text, ok := fields[key].(string); ok && credentials.MatchString(text) {
			c.refuse(place, credentialsRefused)
			continue
		}
		c.check(value, fields[key], place)
	}
}

func (c *checker) metadata(fields map[string]any, at string) {
	text, err := json.Marshal(fields)
	if err != nil || len(text)+writtenOut(fields) > maxMetadata {
		c.refuse(at, "is longer than %d bytes of JSON", maxMetadata)
		return
	}
	keys := 0
	if wrong := looseValue(fields, 1, &keys); wrong != "" {
		c.refuse(at, "%s", wrong)
	}
}

// writtenOut is how many bytes more numbers with exponents take as Postgres keeps them, without,
// at the most.
func writtenOut(value any) (more int) {
	switch v := value.(type) {
	case map[string]any:
		for _, each := range v {
			more += writtenOut(each)
		}
	case []any:
		for _, each := range v {
			more += writtenOut(each)
		}
	case json.Number:
		_, exponent, _ := strings.Cut(strings.ToLower(v.String()), "e")
		places, err := strconv.Atoi(cmp.Or(exponent, "0"))
		if places = max(places, -places); err == nil && places <= maxPlaces {
			return places
		}
	}
	return more
}

// maxPlaces is more than a number has that looseValue takes, but for 0.
const maxPlaces = 400

// looseValue says what is wrong with a value of metadata, or "".
func looseValue(value any, depth int, keys *int) string {
	switch v := value.(type) {
	case map[string]any:
		if depth > maxMetadataDepth {
			return fmt.Sprintf("is deeper than %d levels", maxMetadataDepth)
		}
		if *keys += len(v); *keys > maxMetadataKeys {
			return fmt.Sprintf("has more than %d keys", maxMetadataKeys)
		}
		for key, each := range v {
			if wrong := looseText(key); wrong != "" {
				return wrong
			}
			if wrong := looseValue(each, depth+1, keys); wrong != "" {
				return wrong
			}
		}
	case []any:
		if depth > maxMetadataDepth {
			return fmt.Sprintf("is deeper than %d levels", maxMetadataDepth)
		}
		for _, each := range v {
			if wrong := looseValue(each, depth+1, keys); wrong != "" {
				return wrong
			}
		}
	case string:
		return looseText(v)
	case json.Number: // Postgres keeps numbers exactly, and takes none of a thousand digits
		f, err := strconv.ParseFloat(v.String(), 64)
		if err != nil || f == 0 && !zero.MatchString(v.String()) {
			return "holds a number that is too large, or too near to 0"
		}
	}
	return ""
}

func looseText(text string) string {
	switch {
	case strings.ContainsRune(text, 0): // no text in Postgres holds it
		return "holds a zero byte"
	case credentials.MatchString(text):
		return credentialsRefused
	}
	return ""
}

// parseLabels reads the filters of a list.
func parseLabels(filters []string) ([]jobs.Label, error) {
	if len(filters) > maxLabels {
		return nil, refuse([]error{refusal("query.label", fmt.Sprintf("is there %d times; send it %d times at most", len(filters), maxLabels))})
	}
	var labels []jobs.Label
	for _, filter := range filters {
		key, value, found := strings.Cut(filter, ":")
		if !found || !labelKey.MatchString(key) || value == "" || strings.ContainsRune(value, 0) || utf8.RuneCountInString(value) > maxLabelValue {
			return nil, refuse([]error{refusal("query.label", "is no KEY:VALUE, a label's key and its whole value")})
		}
		labels = append(labels, jobs.Label{Key: key, Value: value})
	}
	return labels, nil
}
