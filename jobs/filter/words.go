package filter

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// split makes words of a text, without their quotes.
func split(text string) (words []string, err error) {
	var word strings.Builder
	open, within, escaped := false, false, false // within: a word; open: its quotes
	for _, r := range text {
		switch {
		case escaped:
			word.WriteRune(r)
			escaped = false
		case open && r == '\\':
			escaped = true
		case r == '"':
			open, within = !open, true
		case !open && unicode.IsSpace(r):
			if within {
				words = append(words, word.String())
			}
			within = false
			word.Reset()
		default:
			word.WriteRune(r)
			within = true
		}
	}
	if open {
		return nil, errors.New(`a quote (") in the filter is not closed`)
	}
	if within {
		words = append(words, word.String())
	}
	return words, nil
}

// quote writes a value so that split reads it.
func quote(value string) string {
	if !strings.ContainsFunc(value, func(r rune) bool { return r == '"' || unicode.IsSpace(r) }) {
		return value
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value) + `"`
}

// unit is one of time.
type unit struct {
	sign string
	of   time.Duration
}

const (
	day  = 24 * time.Hour
	week = 7 * day
	// farthest is more than any history is kept, and far from where durations end.
	farthest = 10 * 365 * day
)

// units from the longest on. Weeks are read, and written as days.
func units() []unit {
	return []unit{{"w", week}, {"d", day}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}}
}

// Duration reads a length of time as filters have it: 90s, 45m, 2h, 1d12h or 2w.
func Duration(text string) (time.Duration, error) {
	wrong := fmt.Errorf("%q is no time: write 90s, 45m, 2h, 1d12h or 2w", text)
	var sum time.Duration
	for rest := text; rest != ""; {
		digits := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
		if digits < 1 {
			return 0, wrong
		}
		n, err := strconv.ParseInt(rest[:digits], 10, 32)
		if err != nil {
			return 0, wrong
		}
		length := time.Duration(0)
		for _, u := range units() {
			if u.sign == rest[digits:digits+1] {
				length = u.of
			}
		}
		if length == 0 {
			return 0, wrong
		}
		if n > int64(farthest/length) {
			return 0, errors.New("the time is longer than ten years")
		}
		if sum += time.Duration(n) * length; sum > farthest {
			return 0, errors.New("the time is longer than ten years")
		}
		rest = rest[digits+1:]
	}
	if sum == 0 {
		return 0, wrong
	}
	return sum, nil
}

// Length writes a length of time as filters have it.
func Length(d time.Duration) string {
	var text strings.Builder
	for _, u := range units()[1:] {
		if n := int64(d / u.of); n > 0 {
			text.WriteString(strconv.FormatInt(n, 10) + u.sign)
			d %= u.of
		}
	}
	return text.String()
}
