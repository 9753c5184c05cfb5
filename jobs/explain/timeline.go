package explain

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"weir/jobs"
)

// Span is a time that something of a transcode took.
type Span struct {
	// Attempt and Host are of what was done on a host; 0 and null: of what was not.
	Attempt int32   `json:"attempt"`
	Host    *string `json:"host"`
	// What is queue, take up, fetch, prepare, start, transcode, store, package, clean; of one
	// rendition push and upload; callback.
	What      string  `json:"what"`
	Rendition *string `json:"rendition"`
	// To is null while it goes on; Seconds is then until now.
	From    time.Time  `json:"from"`
	To      *time.Time `json:"to"`
	Seconds float64    `json:"seconds"`
	Note    string     `json:"note"`
}

// Timeline is how long each step took, in the order that they began in.
func Timeline(r *Rows) []Span {
	l := &timeline{rows: r, spans: []Span{}}
	t := &r.Transcode
	queued := &t.CreatedAt
	for i := range r.Attempts {
		a := &r.Attempts[i]
		l.add(Span{What: "queue"}, queued, &a.CreatedAt, false)
		l.attempt(i)
		queued = a.EndedAt
	}
	if queued != nil {
		open := t.State == jobs.StateQueued
		if open || len(r.Attempts) == 0 {
			l.add(Span{What: "queue", Note: word(r.AcceptJob != nil, "in the inbox")}, queued, t.FinishedAt, open)
		}
	}
	for i := range r.Renditions {
		d := &r.Renditions[i]
		of := Span{Attempt: d.Attempt, Rendition: &d.Name, Host: l.host(d.Attempt), Note: given(d.ErrorCode)}
		push, upload := of, of
		push.What, upload.What = "push", "upload"
		l.add(push, d.PushStartedAt, d.PushedAt, d.State == jobs.RenditionPushing)
		l.add(upload, d.PushedAt, d.StoredAt, d.State == jobs.RenditionPushed)
	}
	if c := r.Callback; c != nil {
		l.add(Span{What: "callback", Note: fmt.Sprintf("%s, %s", c.State, many(int(c.Attempts), "try"))}, &c.CreatedAt, c.DeliveredAt, c.State == jobs.CallbackPending)
	}
	slices.SortStableFunc(l.spans, func(a, b Span) int { return cmp.Compare(a.From.UnixNano(), b.From.UnixNano()) })
	return l.spans
}

type timeline struct {
	rows  *Rows
	spans []Span
}

// add adds what has begun, and has ended or goes on.
func (l *timeline) add(s Span, from, to *time.Time, open bool) {
	if from == nil || to == nil && !open {
		return
	}
	s.From, s.To = *from, to
	end := l.rows.Now
	if to != nil {
		end = *to
	}
	s.Seconds = max(end.Sub(*from), 0).Seconds()
	l.spans = append(l.spans, s)
}

func (l *timeline) host(attempt int32) *string {
	for i := range l.rows.Attempts {
		if a := &l.rows.Attempts[i]; a.Number == attempt {
			return &a.HostID
		}
	}
	return nil
}

// attempt adds the steps of one. The last that has begun ends with the attempt.
func (l *timeline) attempt(i int) {
	a := &l.rows.Attempts[i]
	steps := []struct {
		what     string
		from, to *time.Time
	}{
		{"take up", &a.CreatedAt, a.StartedAt}, {"fetch", a.StartedAt, a.FetchedAt}, {"prepare", a.FetchedAt, a.PreparedAt},
		{"start", a.PreparedAt, a.ProcessStartedAt}, {"transcode", a.ProcessStartedAt, a.TranscodedAt},
		{"store", a.TranscodedAt, a.PackageFrom}, {"package", a.PackageFrom, a.EndedAt},
	}
	for n, step := range steps {
		if step.from == nil {
			continue
		}
		span := Span{Attempt: a.Number, Host: &a.HostID, What: step.what}
		last := !slices.ContainsFunc(steps[n+1:], func(s struct {
			what     string
			from, to *time.Time
		}) bool {
			return s.from != nil
		})
		to := step.to
		if to == nil && last {
			to = a.EndedAt
		}
		if last {
			span.Note = attemptNote(given(a.Outcome), given(a.ErrorCode), a.HungStarts, a.Reruns)
		}
		l.add(span, step.from, to, last && a.Outcome == nil)
	}
	if a.EndedAt != nil {
		l.add(Span{Attempt: a.Number, Host: &a.HostID, What: "clean"}, later(a.TranscodedAt, a.EndedAt), a.CleanedAt, a.CleanedAt == nil)
	}
}

func attemptNote(outcome, code string, hung, reruns int32) string {
	note := outcome
	if code != "" {
		note += ": " + code
	}
	if hung > 0 {
		note += fmt.Sprintf(" (%s)", many(int(hung), "hung start"))
	}
	if reruns > 0 {
		note += fmt.Sprintf(" (%s)", many(int(reruns), "rerun"))
	}
	return note
}

func word(is bool, text string) string {
	if is {
		return text
	}
	return ""
}
