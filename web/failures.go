package web

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"weir/jobs/bulk"
	"weir/jobs/failures"
	"weir/jobs/filter"
)

// failuresWithin is how far back failures are grouped.
const failuresWithin = 24 * time.Hour

type failuresPage struct {
	page

	By      string
	Bys     []string
	Groups  []failureGroup
	Capped  bool
	Most    int64
	Problem string
}

// failureGroup is a group, and the addresses where something is done to all of it.
type failureGroup struct {
	failures.Group

	// Filter means its transcodes; "": no filter does.
	Filter string
	// Retry begins those again, Cancel ends what goes on of the same.
	Retry, Cancel string
}

// bulkOf is the address where a bulk operation of what a filter means begins.
func bulkOf(kind bulk.Kind, f *filter.Filter) string {
	return "/bulk/new?" + url.Values{"kind": {string(kind)}, "filter": {f.String()}}.Encode()
}

// failures groups what failed in the last day.
func (p *Pages) failures(w http.ResponseWriter, r *http.Request) {
	list := &failuresPage{page: p.page(r, "Failures"), By: r.URL.Query().Get("by"), Bys: failures.Bys(), Most: failures.Most}
	list.Query = strings.TrimSpace(r.URL.Query().Get("q"))
	if !slices.Contains(list.Bys, list.By) {
		list.By = failures.ByCode
	}
	f, err := filter.Parse(list.Query)
	question := failures.Question{By: list.By, Within: failuresWithin, Filter: f}
	if err == nil {
		err = question.Check()
	}
	if err != nil {
		list.Problem = err.Error()
		p.show(w, r, http.StatusUnprocessableEntity, "failures", list)
		return
	}
	answer, err := failures.Groups(r.Context(), p.cfg.DB, question)
	if err != nil {
		p.failed(w, r, "group failures", err)
		return
	}
	list.Capped = answer.Capped
	for i := range answer.Groups {
		group := failureGroup{Group: answer.Groups[i]}
		if means, err := question.FilterOf(group.Name); err == nil { // else no filter means it
			group.Filter = means.String()
			group.Retry = bulkOf(bulk.Retry, &means)
			if open, err := question.OpenOf(group.Name); err == nil {
				group.Cancel = bulkOf(bulk.Cancel, &open)
			}
		}
		list.Groups = append(list.Groups, group)
	}
	p.show(w, r, http.StatusOK, "failures", list)
}
