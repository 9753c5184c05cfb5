package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"weir/db/dbsqlc"
	"weir/jobs/audit"
	"weir/jobs/bulk"
	"weir/jobs/filter"
)

// bulkEvery is how old a page of operations gets.
const bulkEvery = 2 * time.Second

type bulkPage struct {
	page

	Operations []bulkLine
}

type bulkLine struct {
	dbsqlc.BulkOperation

	Means           bulk.Count
	Skips, Failures []bulk.Why
}

// Open says whether it goes on.
func (l *bulkLine) Open() bool { return l.EndedAt == nil }

// Through is how many it has dealt with.
func (l *bulkLine) Through() int64 { return l.Done + l.Skipped + l.Failed }

type bulkNewPage struct {
	page

	Kind    string
	Kinds   []bulk.Kind
	Filter  string
	Means   *bulk.Count
	Problem string
	// Rate is how many items are done in a second, if nobody says otherwise; up to MaxRate.
	Rate, MaxRate int
}

func (p *Pages) operations() *bulk.Operations {
	return &bulk.Operations{DB: p.cfg.DB, River: p.cfg.River}
}

func (p *Pages) lookAtBulk(ctx context.Context) (*bulkPage, error) {
	list, err := p.operations().List(ctx, bulk.Page{Limit: pageLines})
	if err != nil {
		return nil, err
	}
	b := &bulkPage{}
	for i := range list {
		line := bulkLine{BulkOperation: list[i], Means: bulk.CountOf(list[i].Counted)}
		if line.Skips, line.Failures, err = bulk.WhysOf(&list[i]); err != nil {
			return nil, fmt.Errorf("read what %s met: %w", list[i].ID, err)
		}
		b.Operations = append(b.Operations, line)
	}
	return b, nil
}

func (p *Pages) bulk(w http.ResponseWriter, r *http.Request) {
	b, err := p.lookAtBulk(r.Context())
	if err != nil {
		p.failed(w, r, "list bulk operations", err)
		return
	}
	b.page = p.page(r, "Bulk operations")
	b.Live = "/bulk/live"
	p.show(w, r, http.StatusOK, "bulk", b)
}

func (p *Pages) bulkLive(w http.ResponseWriter, r *http.Request) {
	l, end := p.stream(w, r, "bulk-parts")
	if l == nil {
		return
	}
	defer end()
	l.every(r.Context(), bulkEvery, func(ctx context.Context) (any, error) {
		b, err := p.lookAtBulk(ctx)
		if err == nil {
			b.page = page{User: userOf(ctx), Now: time.Now()}
		}
		return b, err
	})
}

// bulkNew says how many a filter means, before anything is done to them.
func (p *Pages) bulkNew(w http.ResponseWriter, r *http.Request) {
	form := &bulkNewPage{page: p.page(r, "A bulk operation"), Kind: r.URL.Query().Get("kind"), Kinds: bulk.Kinds(), Filter: strings.TrimSpace(r.URL.Query().Get("filter")), Rate: bulk.DefaultRate, MaxRate: bulk.MaxRate}
	if form.Filter == "" {
		p.show(w, r, http.StatusOK, "bulk-new", form)
		return
	}
	f, err := filter.Parse(form.Filter)
	if err == nil {
		var means bulk.Count
		means, err = p.operations().Count(r.Context(), bulk.Kind(form.Kind), f)
		form.Means = &means
	}
	if err != nil {
		form.Means, form.Problem = nil, err.Error()
		p.show(w, r, http.StatusUnprocessableEntity, "bulk-new", form)
		return
	}
	p.show(w, r, http.StatusOK, "bulk-new", form)
}

// by is who asks, for the reason that the form gives; ok: else it has said what is wrong.
func (p *Pages) by(w http.ResponseWriter, r *http.Request) (by bulk.By, ok bool) {
	reason, err := reasonOf(r)
	if err != nil {
		p.problem(w, r, http.StatusUnprocessableEntity, err)
		return by, false
	}
	return bulk.By{Who: userOf(r.Context()).Name, Via: audit.Web, Reason: reason}, true
}

func (p *Pages) bulkStart(w http.ResponseWriter, r *http.Request) {
	by, ok := p.by(w, r)
	if !ok {
		return
	}
	rate, err := strconv.Atoi(cmp.Or(r.PostFormValue("rate"), strconv.Itoa(bulk.DefaultRate)))
	if err != nil || rate < 1 || rate > bulk.MaxRate {
		p.problem(w, r, http.StatusUnprocessableEntity, fmt.Errorf("the rate is no number from 1 to %d in a second", bulk.MaxRate))
		return
	}
	f, err := filter.Parse(r.PostFormValue("filter"))
	if err == nil {
		_, err = p.operations().Start(r.Context(), by, bulk.Request{Kind: bulk.Kind(r.PostFormValue("kind")), Filter: f, PerSecond: rate})
	}
	if err != nil {
		p.problem(w, r, http.StatusUnprocessableEntity, err)
		return
	}
	http.Redirect(w, r, "/bulk?done=begun", http.StatusSeeOther)
}

func (p *Pages) bulkSet(done string, set func(ops *bulk.Operations, ctx context.Context, by bulk.By, id uuid.UUID) (dbsqlc.BulkOperation, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		by, ok := p.by(w, r)
		if !ok {
			return
		}
		id, err := uuid.Parse(r.PathValue("operation"))
		if err != nil {
			p.nothing(w, r)
			return
		}
		_, err = set(p.operations(), r.Context(), by, id)
		switch {
		case errors.Is(err, bulk.ErrNotFound):
			p.problem(w, r, http.StatusNotFound, err)
		case errors.Is(err, bulk.ErrEnded):
			p.problem(w, r, http.StatusConflict, err)
		case err != nil:
			p.failed(w, r, "change the bulk operation", err)
		default:
			http.Redirect(w, r, "/bulk?done="+done, http.StatusSeeOther)
		}
	}
}

func (p *Pages) routedBulk() {
	p.route("GET /failures", viewers, p.failures)
	p.route("GET /bulk", viewers, p.bulk)
	p.route("GET /bulk/live", viewers, p.bulkLive)
	p.route("GET /bulk/new", viewers, p.bulkNew)
	p.route("POST /bulk", operators, p.bulkStart)
	p.route("POST /bulk/{operation}/pause", operators, p.bulkSet("paused", (*bulk.Operations).Pause))
	p.route("POST /bulk/{operation}/resume", operators, p.bulkSet("resumed", (*bulk.Operations).Resume))
	p.route("POST /bulk/{operation}/cancel", operators, p.bulkSet("ended", (*bulk.Operations).Cancel))
}
