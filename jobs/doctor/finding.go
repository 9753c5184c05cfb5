package doctor

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"
)

// Verdict is what a check came to.
type Verdict string

// The verdicts. Unknown: it could not be looked at, which is said with its reason.
const (
	OK      Verdict = "ok"
	Warn    Verdict = "warn"
	Fail    Verdict = "fail"
	Unknown Verdict = "unknown"
)

// Code names what was looked at. Codes are stable: alerts and people rely on them.
type Code string

// Finding is what one check saw. Nothing in it is secret.
type Finding struct {
	// Daemon is who looked: a host's id, [Control], or [Database] for what is the same
	// for all.
	Daemon string `json:"daemon"`
	Code   Code   `json:"code"`
	// Subject is which one, where there are several.
	Subject  string  `json:"subject"`
	Verdict  Verdict `json:"verdict"`
	Evidence string  `json:"evidence"`
	// Mend is the one line that mends it; "" where all is well.
	Mend   string    `json:"mend"`
	TookMS int32     `json:"took_ms"`
	At     time.Time `json:"at"`
	// Since is from when on the verdict is this one, by rows; nil for what is in none.
	Since *time.Time `json:"since"`
}

// List is what a look came to, as programs read it.
type List struct {
	Worst    Verdict   `json:"worst"`
	Findings []Finding `json:"findings"`
}

// Who looks, beside hosts.
const (
	Control  = "control"
	Database = "database"
)

// Well is a finding of something that is as it should be.
func Well(code Code, subject, evidence string, args ...any) Finding {
	return Finding{Code: code, Subject: subject, Verdict: OK, Evidence: fmt.Sprintf(evidence, args...)}
}

// Wrong is a finding of something that is not; what mends it is the code's, unless mend
// says better.
func Wrong(verdict Verdict, code Code, subject, mend, evidence string, args ...any) Finding {
	if mend == "" {
		mend = code.Mend()
	}
	return Finding{Code: code, Subject: subject, Verdict: verdict, Mend: mend, Evidence: fmt.Sprintf(evidence, args...)}
}

// Failing is the error of a finding that fails, for who asks whether a daemon is ready.
type Failing struct{ Finding Finding }

// Error implements error.
func (f *Failing) Error() string {
	return fmt.Sprintf("%s: %s: %s", f.Finding.Code, f.Finding.Evidence, f.Finding.Mend)
}

// CheckCode is the finding's code.
func (f *Failing) CheckCode() string { return string(f.Finding.Code) }

// KeepsServing says that what is around a host keeps no API from taking requests.
func (*Failing) KeepsServing() bool { return true }

// Worst is the gravest verdict of all.
func Worst(findings []Finding) Verdict {
	worst := OK
	for i := range findings {
		if rank(findings[i].Verdict) > rank(worst) {
			worst = findings[i].Verdict
		}
	}
	return worst
}

func rank(v Verdict) int { return slices.Index([]Verdict{OK, Unknown, Warn, Fail}, v) }

// Only are patterns of codes, as store.* or mist.api; none: all.
type Only []string

// ParseOnly reads patterns, separated by commas. One that fits no code is refused.
func ParseOnly(text string) (Only, error) {
	var only Only
	for pattern := range strings.SplitSeq(text, ",") {
		if pattern = strings.TrimSpace(pattern); pattern == "" {
			continue
		}
		if !slices.ContainsFunc(Codes(), func(k Kind) bool { return (Only{pattern}).Has(k.Code) }) {
			return nil, fmt.Errorf("%q is no check: name one of %s, or several as store.*", pattern, strings.Join(names(), ", "))
		}
		only = append(only, pattern)
	}
	return only, nil
}

// Has says whether a code is meant.
func (o Only) Has(code Code) bool {
	return len(o) == 0 || slices.ContainsFunc(o, func(pattern string) bool {
		fits, err := path.Match(pattern, string(code))
		return err == nil && fits
	})
}
