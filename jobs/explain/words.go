package explain

import (
	"fmt"
	"strings"
	"time"
)

const (
	day = 24 * time.Hour
	// thousand is what sizes are told in the powers of.
	thousand = 1000
)

// span is a duration in its two largest units.
func span(d time.Duration) string {
	d = max(d, 0)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < day:
		return units(d, time.Hour, time.Minute, "h", "min")
	default:
		return units(d, day, time.Hour, "d", "h")
	}
}

func units(d, large, small time.Duration, largeUnit, smallUnit string) string {
	if rest := d % large / small; rest > 0 {
		return fmt.Sprintf("%d %s %d %s", d/large, largeUnit, rest, smallUnit)
	}
	return fmt.Sprintf("%d %s", d/large, largeUnit)
}

// moment is a time with its distance from now.
func moment(at, now time.Time) string {
	text := at.UTC().Format("2006-01-02 15:04:05Z")
	if at.After(now) {
		return text + " (in " + span(at.Sub(now)) + ")"
	}
	return text + " (" + span(now.Sub(at)) + " ago)"
}

// ordinal is 1st, 2nd, 3rd.
func ordinal(n int64) string {
	suffix := "th"
	if tens := n % 100 / 10; tens != 1 {
		switch n % 10 {
		case 1:
			suffix = "st"
		case 2:
			suffix = "nd"
		case 3:
			suffix = "rd"
		}
	}
	return fmt.Sprintf("%d%s", n, suffix)
}

// many is a number of things.
func many(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// size is a number of bytes.
func size(bytes int64) string {
	value, units := float64(bytes), []string{"bytes", "kB", "MB", "GB", "TB"}
	i := 0
	for value >= thousand && i < len(units)-1 {
		value /= thousand
		i++
	}
	if i == 0 {
		return fmt.Sprintf("%d bytes", bytes)
	}
	return fmt.Sprintf("%.1f %s", value, units[i])
}

// line is the first line of what others wrote, bounded.
func line(text string) string {
	const longest = 200
	text, _, _ = strings.Cut(strings.TrimSpace(text), "\n")
	if runes := []rune(text); len(runes) > longest {
		return string(runes[:longest]) + "..."
	}
	return text
}

func given(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}
