package api

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// legible refuses a query that is not what it seems: net/url leaves out what it can't
// read, a filter say, and Postgres knows no text that is no UTF-8.
func (s *server) legible(ctx huma.Context, next func(huma.Context)) {
	r, _ := humago.Unwrap(ctx)
	query, err := url.ParseQuery(r.URL.RawQuery)
	var errs []error
	if err != nil {
		errs = append(errs, refusal("query", "can't be read; write % as %25 and ; as %3B"))
	}
	for _, name := range slices.Sorted(maps.Keys(query)) {
		if !utf8.ValidString(name + strings.Join(query[name], "")) {
			errs = append(errs, refusal("query."+name, "is no UTF-8"))
		}
	}
	if len(errs) > 0 {
		s.refuseAtOnce(ctx, http.StatusUnprocessableEntity, "the query can't be read: see errors", errs[:min(len(errs), maxErrors)]...)
		return
	}
	next(ctx)
}

// foreignByte is the place of the first byte that belongs to no UTF-8; the first byte
// of text is 1.
func foreignByte(text []byte) (at int, is bool) {
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && size <= 1 {
			return i + 1, true
		}
		i += size
	}
	return 0, false
}

// escape is the length of a \u with its four digits.
const escape = len(`\u0000`)

// halfCharacter is the place of the first \u of a JSON text that is one half of a pair
// and stands alone.
func halfCharacter(text []byte) (at int, is bool) {
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			continue
		}
		unit := escaped(text[i:])
		switch {
		case unit < 0:
			i++ // what is escaped may be a backslash
		case !utf16.IsSurrogate(unit):
			i += escape - 1
		case utf16.DecodeRune(unit, escaped(text[i+escape:])) == utf8.RuneError:
			return i + 1, true
		default:
			i += 2*escape - 1
		}
	}
	return 0, false
}

// escaped is the code unit that a \u at the begin of text stands for; below 0 when it
// begins with none.
func escaped(text []byte) rune {
	if len(text) < escape || text[0] != '\\' || text[1] != 'u' {
		return -1
	}
	unit, err := strconv.ParseUint(string(text[2:escape]), 16, 16)
	if err != nil {
		return -1
	}
	return rune(unit)
}
