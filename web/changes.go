package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"weir/jobs"
	"weir/jobs/audit"
	"weir/jobs/tenants"
)

// reasonMost is more than anybody types.
const reasonMost = 500

// done are what a change has done, by the word that its redirect carries: no text of an
// address is shown.
var done = map[string]string{
	"cancelled":   "It is cancelled. Hosts clean up behind it.",
	"retried":     "It is queued again, as a new run. Renditions that are ok stay.",
	"redelivered": "Its callback is sent again.",
	"bumped":      "It has another priority now.",
	"drained":     "The host takes no more. What it runs goes on.",
	"resumed":     "Work is taken again.",
	"forgotten":   "The host is forgotten. A daemon that boots under its id brings it back.",
	"begun":       "It has begun, and goes on when this page is closed.",
	"ended":       "It is ended. What it has done stays done.",
	"paused":      "It is paused. What runs goes on.",
}

// change is what an operator asks for.
type change struct {
	// what are weir-admin's words for it, target is what it is done to.
	what, target string
	detail       any
	// do does it, in the transaction that writes it down.
	do func(ctx context.Context, tx pgx.Tx, who, reason string) error
	// done is a key of done, back the page to go to.
	done, back string
}

// badForm is something in a form that can't be.
type badForm struct{ error }

// make makes a change for the reason that the form gives, and goes back to its page.
func (p *Pages) change(w http.ResponseWriter, r *http.Request, c *change) {
	reason, err := reasonOf(r)
	if err != nil {
		p.problem(w, r, http.StatusUnprocessableEntity, err)
		return
	}
	who := userOf(r.Context()).Name
	err = audit.Do(r.Context(), p.cfg.DB, &audit.Action{Who: who, Via: audit.Web, What: c.what, Target: c.target, Reason: reason, Detail: c.detail}, false,
		func(tx pgx.Tx) error { return c.do(r.Context(), tx, who, reason) })
	if err != nil {
		p.refused(w, r, c, err)
		return
	}
	p.cfg.Log.InfoContext(r.Context(), "changed", "user", who, "what", c.what, "target", c.target, "reason", reason)
	http.Redirect(w, r, c.back+"?done="+c.done, http.StatusSeeOther)
}

// reasonOf is why a form asks for a change.
func reasonOf(r *http.Request) (string, error) {
	reason := strings.TrimSpace(r.PostFormValue("reason"))
	if reason == "" || utf8.RuneCountInString(reason) > reasonMost || !utf8.ValidString(reason) || strings.ContainsRune(reason, 0) {
		return "", fmt.Errorf("the reason is missing or longer than %d characters: say why, for whoever finds it so", reasonMost)
	}
	return reason, nil
}

// conflicts are answers that say the state is another than the button was for.
func conflicts() []error {
	return []error{
		jobs.ErrHostInUse, jobs.ErrFinished, jobs.ErrNotFailed, jobs.ErrReplaced, jobs.ErrNotEnded, jobs.ErrSuperseded, jobs.ErrNoCallback, tenants.ErrNotPaused,
	}
}

func (p *Pages) refused(w http.ResponseWriter, r *http.Request, c *change, err error) {
	var bad badForm
	switch {
	case errors.As(err, &bad), errors.Is(err, tenants.ErrName):
		p.problem(w, r, http.StatusUnprocessableEntity, err)
		return
	case errors.Is(err, jobs.ErrNotFound), errors.Is(err, jobs.ErrNoHost):
		p.problem(w, r, http.StatusNotFound, err)
		return
	}
	for _, conflict := range conflicts() {
		if errors.Is(err, conflict) {
			p.problem(w, r, http.StatusConflict, err)
			return
		}
	}
	p.failed(w, r, c.what, err)
}

// in are the operations on transcodes in a transaction.
func (p *Pages) in(tx pgx.Tx) *jobs.Transcodes {
	return &jobs.Transcodes{DB: tx, River: p.cfg.River, Sealer: p.cfg.Transcodes.Sealer, Inbox: p.cfg.Transcodes.Inbox}
}

func (p *Pages) onTranscode(w http.ResponseWriter, r *http.Request, what, done string, detail any, do func(ctx context.Context, tx pgx.Tx, id uuid.UUID) error) {
	id, ok := p.idOf(w, r)
	if !ok {
		return
	}
	p.change(w, r, &change{
		what: "transcodes " + what, target: id.String(), detail: detail, done: done, back: "/transcodes/" + id.String(),
		do: func(ctx context.Context, tx pgx.Tx, _, _ string) error { return do(ctx, tx, id) },
	})
}

func (p *Pages) cancel(w http.ResponseWriter, r *http.Request) {
	p.onTranscode(w, r, "cancel", "cancelled", nil, func(ctx context.Context, tx pgx.Tx, id uuid.UUID) error {
		_, err := p.in(tx).Cancel(ctx, "", id)
		return err
	})
}

func (p *Pages) retry(w http.ResponseWriter, r *http.Request) {
	p.onTranscode(w, r, "retry", "retried", nil, func(ctx context.Context, tx pgx.Tx, id uuid.UUID) error {
		_, err := p.in(tx).Retry(ctx, id)
		return err
	})
}

func (p *Pages) bump(w http.ResponseWriter, r *http.Request) {
	priority, err := strconv.Atoi(r.PostFormValue("priority"))
	if err != nil || priority < jobs.MostUrgent || priority > jobs.LeastUrgent {
		p.problem(w, r, http.StatusUnprocessableEntity, fmt.Errorf("the priority is no number from %d, the most urgent, to %d", jobs.MostUrgent, jobs.LeastUrgent))
		return
	}
	p.onTranscode(w, r, "bump", "bumped", map[string]int{"priority": priority}, func(ctx context.Context, tx pgx.Tx, id uuid.UUID) error {
		_, err := p.in(tx).Bump(ctx, id, priority)
		return err
	})
}

func (p *Pages) redeliver(w http.ResponseWriter, r *http.Request) {
	p.onTranscode(w, r, "redeliver", "redelivered", nil, func(ctx context.Context, tx pgx.Tx, id uuid.UUID) error {
		return (&jobs.Callbacks{DB: tx, River: p.cfg.River}).RedeliverOf(ctx, "", id)
	})
}

func (p *Pages) drain(w http.ResponseWriter, r *http.Request) {
	p.onHost(w, r, "drain", "drained", func(ctx context.Context, hosts *jobs.Hosts, host, who, reason string) error {
		return hosts.Drain(ctx, host, who, reason)
	})
}

func (p *Pages) resumeHost(w http.ResponseWriter, r *http.Request) {
	p.onHost(w, r, "resume", "resumed", func(ctx context.Context, hosts *jobs.Hosts, host, _, _ string) error { return hosts.Resume(ctx, host) })
}

func (p *Pages) forget(w http.ResponseWriter, r *http.Request) {
	p.onHost(w, r, "forget", "forgotten", func(ctx context.Context, hosts *jobs.Hosts, host, _, _ string) error {
		_, err := hosts.Forget(ctx, host)
		return err
	})
}

func (p *Pages) onHost(w http.ResponseWriter, r *http.Request, what, done string, do func(ctx context.Context, hosts *jobs.Hosts, host, who, reason string) error) {
	host := r.PathValue("host")
	p.change(w, r, &change{
		what: "hosts " + what, target: host, done: done, back: "/hosts",
		do: func(ctx context.Context, tx pgx.Tx, who, reason string) error {
			return do(ctx, &jobs.Hosts{DB: tx, River: p.cfg.River}, host, who, reason)
		},
	})
}

// tenants are the operations on tenants and the queue in a transaction.
func (p *Pages) tenantsIn(tx pgx.Tx) *tenants.Tenants {
	return &tenants.Tenants{DB: tx, Wake: func(ctx context.Context, tx pgx.Tx) error {
		return jobs.Decider{Tx: tx, River: p.cfg.River}.WakePlacement(ctx)
	}}
}

func (p *Pages) pauseTenant(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("tenant")
	p.change(w, r, &change{what: "tenants pause", target: name, done: "paused", back: "/tenants", do: func(ctx context.Context, tx pgx.Tx, who, reason string) error {
		return p.tenantsIn(tx).Pause(ctx, name, who, reason)
	}})
}

func (p *Pages) resumeTenant(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("tenant")
	p.change(w, r, &change{what: "tenants resume", target: name, done: "resumed", back: "/tenants", do: func(ctx context.Context, tx pgx.Tx, _, _ string) error {
		return p.tenantsIn(tx).Resume(ctx, name)
	}})
}

func (p *Pages) pauseQueue(w http.ResponseWriter, r *http.Request) {
	p.change(w, r, &change{what: "queue pause", target: "queue", done: "paused", back: "/tenants", do: func(ctx context.Context, tx pgx.Tx, who, reason string) error {
		return p.tenantsIn(tx).PauseQueue(ctx, who, reason)
	}})
}

func (p *Pages) resumeQueue(w http.ResponseWriter, r *http.Request) {
	p.change(w, r, &change{what: "queue resume", target: "queue", done: "resumed", back: "/tenants", do: func(ctx context.Context, tx pgx.Tx, _, _ string) error {
		return p.tenantsIn(tx).ResumeQueue(ctx)
	}})
}
