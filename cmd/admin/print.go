package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
)

// columnGap is the space between a table's columns.
const columnGap = 2

// print writes v as JSON where that is asked for, else calls forPeople.
func (a *admin) print(v any, forPeople func() error) error {
	if !a.json {
		return forPeople()
	}
	encoder := json.NewEncoder(a.out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	return nil
}

// table writes a heading, whose words are its columns, and lines below each other.
func (a *admin) table(heading string, lines [][]any) error {
	w := tabwriter.NewWriter(a.out, 0, 0, columnGap, ' ', 0)
	_, _ = fmt.Fprintln(w, strings.Join(strings.Fields(heading), "\t"))
	for _, line := range lines {
		cells := make([]string, len(line))
		for i, value := range line {
			cells[i] = cell(value)
		}
		_, _ = fmt.Fprintln(w, strings.TrimRight(strings.Join(cells, "\t"), "\t"))
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	return nil
}

// cell is a value as a table shows it: "-" where there is none.
func cell(value any) string {
	switch v := value.(type) {
	case *string:
		return pointed(v)
	case *int32:
		return pointed(v)
	case *int64:
		return pointed(v)
	case *time.Time:
		return pointed(v)
	case time.Time:
		return v.UTC().Format("2006-01-02 15:04:05Z")
	case string:
		return printable(v)
	}
	return printable(fmt.Sprint(value))
}

func pointed[T any](p *T) string {
	if p == nil {
		return "-"
	}
	return cell(*p)
}

// printable keeps what others wrote from moving the cursor or the columns.
func printable(text string) string {
	if text == "" {
		return "-"
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, text)
}

// bytesOf is a number of bytes, as people read it; --json has the number.
func bytesOf(bytes int64) string {
	const kilo = 1000
	value, units := float64(bytes), []string{"kB", "MB", "GB", "TB"}
	if value < kilo && value > -kilo {
		return fmt.Sprintf("%d B", bytes)
	}
	unit := ""
	for _, unit = range units {
		if value /= kilo; value < kilo && value > -kilo {
			break
		}
	}
	return fmt.Sprintf("%.1f %s", value, unit)
}

func percent(ratio float64) string { return fmt.Sprintf("%.0f%%", ratio*100) }

func say(out io.Writer, format string, args ...any) error {
	if _, err := fmt.Fprintf(out, format+"\n", args...); err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	return nil
}
