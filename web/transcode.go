package web

import (
	"bytes"
	"context"
	"encoding/json"

	"fmt"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"weir/api/events"
	"weir/api/view"
	"weir/db"
	"weir/db/dbsqlc"
	"weir/jobs"
	"weir/jobs/explain"
	"weir/web/chart"
)

const (
	// triggersShown are the newest of a transcode's.
	triggersShown = 100
	// payloadShown is what is shown of one that is text.
	payloadShown = 4 << 10
	// tenth is how often progress is said aloud.
	tenth = 10
)

type transcodePage struct {
	page

	T view.Transcode
	// Row is what the view leaves out.
	Row        *dbsqlc.Transcode
	Attempts   []dbsqlc.Attempt
	Timeline   *chart.Timeline
	Callback   *dbsqlc.Callback
	Deliveries []dbsqlc.CallbackAttempt
	Triggers   []triggerLine
	Request    string
	// Why is what its rows explain.
	Why explain.Explanation
	// Said is its progress for those who listen to the page.
	Said string
	// Plays says whether what is stored can be played.
	Plays bool
}

// triggerLine is a trigger as it came, and what was made of it.
type triggerLine struct {
	dbsqlc.MistEvent

	Raw string
}

// Ended says whether nothing more comes of it.
func (t *transcodePage) Ended() bool { return jobs.Terminal(t.T.State) }

// Percent is its ratio as a bar has it.
func (t *transcodePage) Percent() int { return int(t.T.Ratio * 100) } //nolint:mnd // percent

func (p *Pages) idOf(w http.ResponseWriter, r *http.Request) (uuid.UUID, bool) {
	id, err := uuid.Parse(r.PathValue("id"))
	if err != nil {
		p.problem(w, r, http.StatusNotFound, fmt.Errorf("%q is no transcode's id: search for what you know of it", r.PathValue("id")))
	}
	return id, err == nil
}

func (p *Pages) transcode(w http.ResponseWriter, r *http.Request) {
	id, ok := p.idOf(w, r)
	if !ok {
		return
	}
	t, err := p.lookAt(r.Context(), id)
	if err != nil {
		p.failed(w, r, "read the transcode", err)
		return
	}
	t.page = p.page(r, "Transcode "+t.name())
	t.Live = "/transcodes/" + t.T.ID.String() + "/live"
	p.show(w, r, http.StatusOK, "transcode", t)
}

func (p *Pages) transcodeLive(w http.ResponseWriter, r *http.Request) {
	id, ok := p.idOf(w, r)
	if !ok {
		return
	}
	listener, err := p.cfg.Events.Listen(r.Context(), events.Scope{Transcode: id}, "operators")
	if err != nil {
		w.Header().Set("Retry-After", "5")
		p.problem(w, r, http.StatusServiceUnavailable, err)
		return
	}
	defer listener.Close()
	l, end := p.stream(w, r, "transcode-parts")
	if l == nil {
		return
	}
	defer end()
	l.follow(r.Context(), listener, func(ctx context.Context) (any, bool, error) {
		t, err := p.lookAt(ctx, id)
		if err != nil {
			return nil, true, err
		}
		t.page = page{User: userOf(ctx), Now: time.Now()}
		return t, t.moves(), nil
	})
}

// moves says whether something may change by itself: until the end is told, and cleaned up
// behind.
func (t *transcodePage) moves() bool {
	if !t.Ended() || t.Callback == nil || t.Callback.State == jobs.CallbackPending {
		return true
	}
	for i := range t.Attempts {
		if t.Attempts[i].CleanedAt == nil {
			return true
		}
	}
	return false
}

func (t *transcodePage) name() string {
	if t.T.ExternalID != nil {
		return *t.T.ExternalID
	}
	return t.T.ID.String()
}

func (p *Pages) lookAt(ctx context.Context, id uuid.UUID) (*transcodePage, error) {
	detail, err := p.cfg.Transcodes.Get(ctx, "", id)
	if err != nil {
		return nil, err
	}
	t := &transcodePage{T: view.Of(&detail), Row: &detail.Transcode, Callback: detail.Callback, Plays: p.cfg.Objects != nil}
	q := dbsqlc.New()
	if t.Attempts, err = q.AttemptList(ctx, p.cfg.DB, t.T.ID); err != nil {
		return nil, fmt.Errorf("list the attempts of %s: %w", id, err)
	}
	if t.Callback != nil {
		if t.Deliveries, err = q.CallbackAttemptList(ctx, p.cfg.DB, t.Callback.ID); err != nil {
			return nil, fmt.Errorf("list the deliveries of %s: %w", id, err)
		}
	}
	triggers, err := q.MistEventList(ctx, db.Replanned{On: p.cfg.DB}, dbsqlc.MistEventListParams{TranscodeID: &t.T.ID, PageSize: triggersShown})
	if err != nil {
		return nil, fmt.Errorf("list the triggers of %s: %w", id, err)
	}
	for i := range triggers {
		t.Triggers = append(t.Triggers, triggerLine{triggers[i], readable(triggers[i].Payload)})
	}
	var indented bytes.Buffer
	if json.Indent(&indented, detail.Transcode.Request, "", "  ") == nil {
		t.Request = indented.String()
	}
	rows, err := explain.Read(ctx, p.cfg.DB, id)
	if err != nil {
		return nil, fmt.Errorf("explain %s: %w", id, err)
	}
	t.Why = explain.Of(rows)
	t.Timeline = chart.Time("Stages and attempts", rowsOf(&detail, t.Attempts), time.Now())
	t.Said = said(&t.T)
	return t, nil
}

// said is a transcode's progress in words that change every tenth of it.
func said(t *view.Transcode) string {
	if jobs.Terminal(t.State) {
		return "This transcode has " + t.State + "."
	}
	if t.Stage == nil {
		return t.State
	}
	return fmt.Sprintf("%s, %d percent", *t.Stage, int(t.Ratio*tenth)*tenth)
}

// readable is a payload as text, or in hex where it is none.
func readable(payload []byte) string {
	if len(payload) > payloadShown {
		return readable(payload[:payloadShown]) + " …"
	}
	if utf8.Valid(payload) || utf8.Valid(payload[:max(len(payload)-utf8.UTFMax, 0)]) {
		return string(bytes.ToValidUTF8(payload, nil))
	}
	return fmt.Sprintf("%x", payload)
}

// rowsOf are what a transcode's picture shows: its waits, the stages of each attempt, and
// the renditions of the newest.
func rowsOf(d *jobs.Detail, attempts []dbsqlc.Attempt) []chart.Row {
	t := &d.Transcode
	queue := chart.Row{Name: "queue"}
	since := t.CreatedAt
	for i := range attempts {
		placed := attempts[i].CreatedAt
		if placed.After(since) {
			queue.Spans = append(queue.Spans, chart.Span{From: since, To: &placed, Class: "wait", Text: "waits for a host"})
		}
		if attempts[i].EndedAt != nil {
			since = *attempts[i].EndedAt
		} else {
			since = time.Time{}
		}
	}
	if t.State == jobs.StateQueued {
		if t.RunAt.After(since) {
			since = t.RunAt
		}
		queue.Spans = append(queue.Spans, chart.Span{From: since, Class: "wait", Text: "waits for a host"})
	}
	rows := []chart.Row{queue}
	for i := range attempts {
		rows = append(rows, attemptRow(&attempts[i]))
	}
	for i := range d.Renditions {
		r := &d.Renditions[i]
		row := chart.Row{Name: r.Name}
		if r.PushStartedAt != nil {
			row.Spans = append(row.Spans, chart.Span{From: *r.PushStartedAt, To: ended(r.PushedAt, t.FinishedAt), Class: "transcode", Text: "pushed by Mist"})
		}
		if r.PushedAt != nil {
			row.Spans = append(row.Spans, chart.Span{From: *r.PushedAt, To: ended(r.StoredAt, t.FinishedAt), Class: "store", Text: "judged and stored"})
		}
		if len(row.Spans) > 0 {
			rows = append(rows, row)
		}
	}
	return rows
}

// ended is when something ended, by itself or with the whole.
func ended(own, whole *time.Time) *time.Time {
	if own != nil {
		return own
	}
	return whole
}

func attemptRow(a *dbsqlc.Attempt) chart.Row {
	row := chart.Row{Name: fmt.Sprintf("attempt %d", a.Number)}
	steps := []struct {
		from        *time.Time
		class, text string
	}{
		{&a.CreatedAt, "wait", "waits for its supervisor"}, {a.StartedAt, "fetch", "fetch"}, {a.FetchedAt, "prepare", "probe and prepare"},
		{a.PreparedAt, "wait", "start"}, {a.ProcessStartedAt, "transcode", "transcode"}, {a.TranscodedAt, "store", "store"}, {a.PackageFrom, "package", "package"},
		{a.EndedAt, "clean", "clean up"},
	}
	for i, step := range steps {
		if step.from == nil {
			continue
		}
		to := a.CleanedAt
		for _, next := range steps[i+1:] {
			if next.from != nil && !next.from.Before(*step.from) {
				to = next.from
				break
			}
		}
		if to != nil && to.Before(*step.from) {
			continue
		}
		row.Spans = append(row.Spans, chart.Span{From: *step.from, To: to, Class: step.class, Text: fmt.Sprintf("%s on %s", step.text, a.HostID)})
	}
	return row
}
