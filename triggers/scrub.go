package triggers

import (
	"bytes"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// credentials are user and password of a URL, to the last @ before what can't
// stand in one.
var credentials = regexp.MustCompile(`://[^\s"'<>@]*@(?:[^\s"'<>@]*@)*`)

var hiddenCredentials = []byte("://[redacted]@")

// scrub takes the credentials out of URLs: Mist's logs, and through them its
// triggers, quote S3 targets with their keys. truncated: b goes on behind its end,
// where a password may have been cut.
func scrub(b []byte, truncated bool) []byte {
	if truncated {
		if i := bytes.LastIndex(b, []byte("://")); i >= 0 && !bytes.ContainsAny(b[i:], "@ \n\"") {
			b = b[:i]
		}
	}
	if !bytes.Contains(b, []byte("://")) || !bytes.Contains(b, []byte("@")) {
		return b
	}
	return credentials.ReplaceAllLiteral(b, hiddenCredentials)
}

// clean makes text of what may be anything: valid UTF-8 without control characters
// (Postgres takes no NUL), without credentials, at most size bytes.
func clean(s string, size int) string {
	// More than size, so that a URL is whole when it is looked at; not all of 1 MiB.
	if limit := 2 * size; len(s) > limit {
		s = s[:limit]
	}
	s = string(scrub([]byte(s), len(s) == 2*size))
	s = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || unicode.IsControl(r) {
			return '\uFFFD'
		}
		return r
	}, s)
	if len(s) <= size {
		return s
	}
	cut := size
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut]
}
