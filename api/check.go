package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
)

// maxErrors bounds a refusal: a body may be wrong in a hundred thousand places.
const maxErrors = 32

// check compares a parsed body with its schema, of which it knows what our types
// use, and returns what is wrong, each with the field's location: at the field that
// is missing, not at its parent. A null is as good as nothing.
func check(registry huma.Registry, schema *huma.Schema, value any, at string) []error {
	c := checker{registry: registry}
	c.check(schema, value, at)
	return c.errs
}

type checker struct {
	registry huma.Registry
	errs     []error
}

func (c *checker) refuse(at, format string, args ...any) {
	if len(c.errs) < maxErrors {
		c.errs = append(c.errs, refusal(at, fmt.Sprintf(format, args...)))
	}
}

func (c *checker) check(s *huma.Schema, value any, at string) {
	if s.Ref != "" {
		s = c.registry.SchemaFromRef(s.Ref)
	}
	switch s.Type {
	case huma.TypeObject:
		if fields, ok := value.(map[string]any); ok {
			c.object(s, fields, at)
			return
		}
		c.refuse(at, "must be an object")
	case huma.TypeArray:
		if items, ok := value.([]any); ok {
			c.array(s, items, at)
			return
		}
		c.refuse(at, "must be an array")
	case huma.TypeString:
		if text, ok := value.(string); ok {
			c.text(s, text, at)
			return
		}
		c.refuse(at, "must be a string")
	case huma.TypeInteger, huma.TypeNumber:
		if number, ok := value.(json.Number); ok {
			c.number(s, number, at)
			return
		}
		c.refuse(at, "must be a number")
	case huma.TypeBoolean:
		if _, ok := value.(bool); !ok {
			c.refuse(at, "must be true or false")
		}
	}
}

func (c *checker) object(s *huma.Schema, fields map[string]any, at string) {
	if isFree(s) {
		c.free(s, fields, at)
		return
	}
	for _, name := range s.Required {
		if fields[name] == nil {
			c.refuse(at+"."+name, "is missing")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.DependentRequired)) {
		for _, other := range s.DependentRequired[name] {
			if fields[name] != nil && fields[other] == nil {
				c.refuse(at+"."+other, "is missing beside %s; send both, or neither", name)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		field, known := s.Properties[name]
		switch {
		case !known && plainName(name):
			c.refuse(at+"."+name, "is no field of this request; these are: %s", strings.Join(slices.Sorted(maps.Keys(s.Properties)), ", "))
		case !known:
			c.refuse(at, "has a field that is none of this request's; these are: %s", strings.Join(slices.Sorted(maps.Keys(s.Properties)), ", "))
		case fields[name] != nil:
			c.check(field, fields[name], at+"."+name)
		}
	}
}

func (c *checker) array(s *huma.Schema, items []any, at string) {
	if s.MinItems != nil && len(items) < *s.MinItems {
		c.refuse(at, "has %d entries; send at least %d", len(items), *s.MinItems)
	}
	if s.MaxItems != nil && len(items) > *s.MaxItems {
		c.refuse(at, "has %d entries; send at most %d", len(items), *s.MaxItems)
		return
	}
	for i, item := range items {
		c.check(s.Items, item, at+"["+strconv.Itoa(i)+"]")
	}
}

func (c *checker) text(s *huma.Schema, text, at string) {
	length := utf8.RuneCountInString(text)
	switch {
	case s.MinLength != nil && length < *s.MinLength && length == 0:
		c.refuse(at, "is empty")
	case s.MinLength != nil && length < *s.MinLength:
		c.refuse(at, "has %d characters; send at least %d", length, *s.MinLength)
	case s.MaxLength != nil && length > *s.MaxLength:
		c.refuse(at, "has %d characters; send at most %d", length, *s.MaxLength)
	case s.Pattern != "" && !pattern(s.Pattern).MatchString(text):
		c.refuse(at, "must be %s", s.PatternDescription)
	case len(s.Enum) > 0 && !slices.ContainsFunc(s.Enum, func(word any) bool { return strings.EqualFold(fmt.Sprint(word), text) }):
		c.refuse(at, "must be one of %s", plainWords(s.Enum))
	}
}

// patterns are the document's, of which there are some dozen: to make one of its text takes longer
// than all else that is checked of a request.
var patterns sync.Map

func pattern(text string) *regexp.Regexp {
	if known, ok := patterns.Load(text); ok {
		return known.(*regexp.Regexp) //nolint:errcheck // nothing else is in it
	}
	made := regexp.MustCompile(text)
	patterns.Store(text, made)
	return made
}

func (c *checker) number(s *huma.Schema, number json.Number, at string) {
	value, err := number.Float64()
	if err != nil {
		c.refuse(at, "is no number that can be used")
		return
	}
	if s.Type == huma.TypeInteger {
		if _, err := number.Int64(); err != nil {
			c.refuse(at, "must be a whole number")
			return
		}
	}
	if len(s.Enum) > 0 && !slices.ContainsFunc(s.Enum, func(word any) bool { return fmt.Sprint(word) == plainNumber(value) }) {
		c.refuse(at, "must be one of %s", plainWords(s.Enum))
	}
	if s.Minimum != nil && value < *s.Minimum || s.Maximum != nil && value > *s.Maximum {
		c.refuse(at, "must be from %s to %s", plainNumber(*s.Minimum), plainNumber(*s.Maximum))
	}
}

func plainWords(words []any) string { return strings.Trim(fmt.Sprint(words), "[] ") }

func plainNumber(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
