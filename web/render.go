package web

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"math"
	"net/http"
	"strconv"
	"time"

	"weir/jobs"
	"weir/web/login"
)

//go:embed pages/*.html
var pages embed.FS

var templates = template.Must(template.New("").Funcs(template.FuncMap{
	"at": at, "ago": ago, "percent": percent, "bytes": bytesOf, "size": sizeOf, "change": changeOf, "json": jsonOf, "count": count, "seconds": seconds, "text": text, "ms": milliseconds, "mbit": megabits,
}).ParseFS(pages, "pages/*.html"))

// page is what all pages have.
type page struct {
	Title   string
	User    *login.User
	Path    string
	Version string
	// Done says what a change has done.
	Done string
	// Live is the address of a stream that keeps the page up to date.
	Live string
	Now  time.Time
	// Query is what was searched for.
	Query string
}

func (p *Pages) page(r *http.Request, title string) page {
	return page{Title: title, User: userOf(r.Context()), Path: r.URL.Path, Version: p.cfg.Version, Now: time.Now(), Done: done[r.URL.Query().Get("done")]}
}

// May says whether buttons that change something are shown.
func (p page) May() bool { return p.User != nil && p.User.May() }

// show writes a page. All of it is made first, so that half a page is none.
func (p *Pages) show(w http.ResponseWriter, r *http.Request, status int, name string, data any) {
	var out bytes.Buffer
	if err := templates.ExecuteTemplate(&out, name, data); err != nil {
		p.cfg.Log.ErrorContext(r.Context(), "page not made", "page", name, "error", err)
		http.Error(w, "this page could not be made; the daemon's log says why", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(out.Bytes()) // the caller may be gone
}

type problemPage struct {
	page

	Status  int
	Problem string
}

// problem says what is wrong with a request.
func (p *Pages) problem(w http.ResponseWriter, r *http.Request, status int, why error) {
	p.show(w, r, status, "problem", &problemPage{page: p.page(r, http.StatusText(status)), Status: status, Problem: why.Error()})
}

// failed says that something is wrong here. What, is for the log.
func (p *Pages) failed(w http.ResponseWriter, r *http.Request, what string, err error) {
	if r.Context().Err() != nil {
		return // the caller is gone
	}
	if errors.Is(err, jobs.ErrNotFound) {
		p.problem(w, r, http.StatusNotFound, jobs.ErrNotFound)
		return
	}
	p.cfg.Log.ErrorContext(r.Context(), "page failed", "what", what, "error", err)
	p.problem(w, r, http.StatusServiceUnavailable, fmt.Errorf("could not %s: the database may be away; the daemon's log says more", what))
}

// at is a time for people, who read it beside logs: in UTC.
func at(t any) string {
	switch t := t.(type) {
	case time.Time:
		return t.UTC().Format("2006-01-02 15:04:05 UTC")
	case *time.Time:
		if t != nil {
			return at(*t)
		}
	}
	return ""
}

// ago is how long ago something was.
func ago(t time.Time, now time.Time) string { return seconds(now.Sub(t).Seconds()) }

const minute, hour, day = 60.0, 3600.0, 86400.0

// seconds is a duration for people.
func seconds(s float64) string {
	switch s = max(s, 0); {
	case s < minute:
		return fmt.Sprintf("%.0f s", s)
	case s < hour:
		return fmt.Sprintf("%.0f min", math.Floor(s/minute))
	case s < day:
		return fmt.Sprintf("%.0f h %.0f min", math.Floor(s/hour), math.Floor(math.Mod(s, hour)/minute))
	default:
		return fmt.Sprintf("%.0f d %.0f h", math.Floor(s/day), math.Floor(math.Mod(s, day)/hour))
	}
}

func percent(ratio float64) string { return strconv.Itoa(int(ratio*100)) + " %" } //nolint:mnd // percent

func milliseconds(ms *int64) string {
	if ms == nil {
		return ""
	}
	return (time.Duration(*ms) * time.Millisecond).String()
}

func megabits(bits int64) string { return fmt.Sprintf("%.1f Mbit/s", float64(bits)/1e6) }

const kilo = 1000

// button is a change that asks for nothing but its reason.
type button struct{ Label, To string }

func changeOf(label, to string) button { return button{label, to} }

// jsonOf is an object as text; an empty one is nothing.
func jsonOf(raw json.RawMessage) string {
	if text := string(raw); text != "{}" {
		return text
	}
	return ""
}

func bytesOf(n *int64) string {
	if n == nil {
		return ""
	}
	return sizeOf(*n)
}

// sizeOf is bytes for people.
func sizeOf(n int64) string {
	value, unit := float64(n), "B"
	for _, next := range []string{"kB", "MB", "GB", "TB"} {
		if value < kilo {
			break
		}
		value, unit = value/kilo, next
	}
	if unit == "B" {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", value, unit)
}

// count is a number that is counted up to most.
func count(n, most int64) string {
	if n >= most {
		return group(most) + "+"
	}
	return group(n)
}

func group(n int64) string {
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// text is what a pointer points to, or nothing.
func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
