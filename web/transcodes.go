package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"

	"weir/api/view"
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
	wanted, err := search(list.Query)
	if err == nil {
		err = older(&wanted, r.URL.Query().Get("before"))
	}
	if err != nil {
		list.Problem = err.Error()
		p.show(w, r, http.StatusUnprocessableEntity, "transcodes", list)
		return
	}
	found, err := p.cfg.Transcodes.List(r.Context(), wanted)
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
func search(query string) (jobs.Filter, error) {
	wanted := jobs.Filter{Limit: pageLines}
	if query == "" {
		return wanted, nil
	}
	if !strings.ContainsAny(query, ":<> ") {
		wanted.ExternalID = &query
		return wanted, nil
	}
	f, err := filter.Parse(query)
	if err != nil {
		return wanted, err
	}
	return listed(&f)
}

// listed is a filter as lists take it: one value of each key.
func listed(f *filter.Filter) (jobs.Filter, error) {
	wanted := jobs.Filter{Limit: pageLines, Labels: f.Labels}
	for _, key := range []struct {
		name   string
		values []string
		into   **string
	}{
		{"tenant", f.Tenants, &wanted.Tenant}, {"state", f.States, &wanted.State}, {"host", f.Hosts, &wanted.HostID}, {"external_id", f.ExternalIDs, &wanted.ExternalID},
	} {
		switch len(key.values) {
		case 0:
		case 1:
			*key.into = &key.values[0]
		default:
			return wanted, fmt.Errorf("the list takes one %s", key.name)
		}
	}
	if len(f.Labels) > 0 && wanted.Tenant == nil {
		return wanted, errors.New("labels are a tenant's: add tenant:NAME")
	}
	if f.Older > 0 {
		wanted.CreatedTo = new(time.Now().Add(-f.Older))
	}
	if f.Younger > 0 {
		wanted.CreatedFrom = new(time.Now().Add(-f.Younger))
	}
	return wanted, nil
}

// older narrows a list to what is behind the last line of the page before.
func older(wanted *jobs.Filter, before string) error {
	if before == "" {
		return nil
	}
	when, which, _ := strings.Cut(before, ",")
	at, err := time.Parse(time.RFC3339Nano, when)
	id, wrong := uuid.Parse(which)
	if err != nil || wrong != nil {
		return errors.New("this address has a page that there is none of: search again")
	}
	wanted.BeforeAt, wanted.BeforeID = &at, &id
	return nil
}
