package explain

import (
	"fmt"
	"strings"
	"time"
	"unicode"
)

// Text is an explanation for people, many lines; what others wrote can move no cursor.
func (e *Explanation) Text() string {
	var b strings.Builder
	named := ""
	if e.ExternalID != nil {
		named = " (" + *e.ExternalID + ")"
	}
	fmt.Fprintf(&b, "%s of %s%s: %s since %s\n", e.ID, e.Tenant, named, e.State, moment(e.Since, e.At))
	fmt.Fprintf(&b, "%s\n", e.Says)
	facts := []string{}
	if e.Attempt > 0 {
		facts = append(facts, fmt.Sprintf("run %d, attempt %d", e.Run, e.Attempt))
	}
	if e.Host != nil {
		facts = append(facts, "host "+*e.Host)
	}
	if e.Stage != nil {
		facts = append(facts, "stage "+*e.Stage)
	}
	facts = append(facts, fmt.Sprintf("%.0f%% done", e.Ratio*percent))
	block(&b, "facts", []string{strings.Join(facts, ", ")})
	block(&b, "waits for", e.Waits)
	if f := e.Failure; f != nil {
		lines := []string{
			fmt.Sprintf("%s at %s: %s", f.Code, f.Stage, line(f.Message)),
			fmt.Sprintf("blame %s, tried again: %s", f.Blame, f.Retry),
		}
		if f.Detail != nil && *f.Detail != "" {
			lines = append(lines, "detail: "+strings.Join(strings.Fields(*f.Detail), " "))
		}
		block(&b, "failure", lines)
	}
	var lines []string
	for _, seen := range e.Evidence {
		lines = append(lines, when(seen.At, e.At)+seen.Says)
	}
	block(&b, "evidence", lines)
	lines = nil
	for _, next := range e.Next {
		lines = append(lines, when(next.At, e.At)+next.Says)
	}
	block(&b, "next", lines)
	lines = nil
	for _, can := range e.Actions {
		text := can.Says
		if can.Command != "" {
			text += "\n    " + can.Command
		}
		lines = append(lines, text)
	}
	block(&b, "you can", lines)
	return printable(b.String())
}

func when(at *time.Time, now time.Time) string {
	if at == nil {
		return ""
	}
	return moment(*at, now) + ": "
}

func block(b *strings.Builder, heading string, lines []string) {
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s\n", heading)
	for _, text := range lines {
		fmt.Fprintf(b, "  %s\n", text)
	}
}

// printable keeps what others wrote from moving the cursor.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, text)
}

// quoted is a word for a shell.
func quoted(word string) string {
	if word != "" && strings.Trim(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-:/") == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
