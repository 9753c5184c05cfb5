package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"

	"weir/api/view"
	"weir/db/dbsqlc"
	"weir/jobs"
	"weir/jobs/filter"
)

// pageLines fit a few screens.
const pageLines = 50

type transcodesPage struct {
	page

	List    []view.Transcode
	Problem string
	// Next is the address of what is older.
	Next string
}

// transcodes lists those of a filter, or leads to the one that is searched for.
func (p *Pages) transcodes(w http.ResponseWriter, r *http.Request) {
	list := &transcodesPage{page: p.page(r, "Transcodes")}
	list.Query = strings.TrimSpace(r.URL.Query().Get("q"))
	if id, err := uuid.Parse(list.Query); err == nil {
		http.Redirect(w, r, "/transcodes/"+id.String(), http.StatusSeeOther)
		return
	}
	var found []jobs.Detail
	wanted, err := p.search(r.Context(), list.Query)
	if err == nil {
		err = older(wanted, r.URL.Query().Get("before"))
	}
	if err == nil {
		found, err = p.cfg.Transcodes.ListAny(r.Context(), wanted)
	}
	if typed, is := errors.AsType[*wrong](err); is {
		list.Problem = typed.Error()
		p.show(w, r, http.StatusUnprocessableEntity, "transcodes", list)
		return
	}
	if err != nil {
		p.failed(w, r, "list transcodes", err)
		return
	}
	for i := range found {
		list.List = append(list.List, view.Of(&found[i]))
	}
	if len(found) == pageLines {
		last := &found[len(found)-1].Transcode
		list.Next = "/transcodes?" + url.Values{
			"q": {list.Query}, "before": {last.CreatedAt.UTC().Format(time.RFC3339Nano) + "," + last.ID.String()},
		}.Encode()
	}
	p.show(w, r, http.StatusOK, "transcodes", list)
}

// search reads what was typed: a filter, or an external id alone.
func (p *Pages) search(ctx context.Context, query string) ([]jobs.Filter, error) {
	f := filter.Filter{}
	switch {
	case query == "":
	case !strings.ContainsAny(query, ":<> "):
		f.ExternalIDs = []string{query}
	default:
		var err error
		if f, err = filter.Parse(query); err != nil {
			return nil, &wrong{err}
		}
	}
	now, err := dbsqlc.New().Clock(ctx, p.cfg.DB)
	if err != nil {
		return nil, fmt.Errorf("ask for the time: %w", err)
	}
	lists, err := f.Lists(now)
	if err != nil {
		return nil, &wrong{err}
	}
	for i := range lists {
		lists[i].Limit = pageLines
	}
	return lists, nil
}

// wrong is what a person can mend in what was typed.
type wrong struct{ error }

// older narrows lists to what is behind the last line of the page before.
func older(wanted []jobs.Filter, before string) error {
	if before == "" {
		return nil
	}
	when, which, _ := strings.Cut(before, ",")
	at, err := time.Parse(time.RFC3339Nano, when)
	id, noID := uuid.Parse(which)
	if err != nil || noID != nil {
		return &wrong{errors.New("this address has a page that there is none of: search again")}
	}
	for i := range wanted {
		wanted[i].BeforeAt, wanted[i].BeforeID = &at, &id
	}
	return nil
}
