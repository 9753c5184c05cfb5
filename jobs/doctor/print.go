package doctor

import (
	"fmt"
	"io"
	"strings"
	"unicode"
)

const (
	// width is a phone's, held across, or a narrow terminal's.
	width = 80
	// indent is where what is said about a finding begins.
	indent = 9
)

// Print writes findings for people, in lines of 80 columns: what is wrong in full, what is
// well in one line each.
func Print(out io.Writer, findings []Finding) error {
	counts := map[Verdict]int{}
	var text strings.Builder
	for i := range findings {
		f := &findings[i]
		counts[f.Verdict]++
		heading := strings.TrimSpace(fmt.Sprintf("%s  %s  %s", f.Code, f.Daemon, f.Subject))
		line := fmt.Sprintf("%-*s%s", indent, word(f.Verdict), printable(heading))
		if f.Verdict == OK {
			text.WriteString(cut(line+"  "+printable(f.Evidence)) + "\n")
			continue
		}
		text.WriteString(cut(line) + "\n")
		text.WriteString(wrap("", f.Evidence))
		text.WriteString(wrap("-> ", f.Mend))
	}
	fmt.Fprintf(&text, "\n%d fail, %d warn, %d unknown, %d ok\n", counts[Fail], counts[Warn], counts[Unknown], counts[OK])
	if _, err := io.WriteString(out, text.String()); err != nil {
		return fmt.Errorf("write findings: %w", err)
	}
	return nil
}

func word(v Verdict) string {
	if v == Fail || v == Warn {
		return strings.ToUpper(string(v))
	}
	return string(v)
}

// cut ends a line where the screen does.
func cut(line string) string {
	if runes := []rune(line); len(runes) > width {
		return string(runes[:width-1]) + "…"
	}
	return line
}

// wrap is a text in lines below a heading. A word that is longer than a line stands alone.
func wrap(mark, text string) string {
	var lines strings.Builder
	lead := strings.Repeat(" ", indent) + mark
	line, empty := lead, true
	for one := range strings.FieldsSeq(printable(text)) {
		if !empty && len([]rune(line))+1+len([]rune(one)) > width {
			lines.WriteString(line + "\n")
			line, empty = strings.Repeat(" ", indent+len(mark)), true
		}
		if !empty {
			line += " "
		}
		line, empty = line+one, false
	}
	if !empty {
		lines.WriteString(line + "\n")
	}
	return lines.String()
}

// printable keeps what others wrote from moving the cursor.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\t':
			return ' '
		case unicode.IsPrint(r):
			return r
		}
		return '?'
	}, text)
}
