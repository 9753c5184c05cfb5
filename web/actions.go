package web

import (
	"net/http"
	"strconv"

	"weir/db"
	"weir/db/dbsqlc"
)

type actionsPage struct {
	page

	Actions []dbsqlc.AdminAction
	// Next is the address of what is older.
	Next string
}

// actions lists what operators have changed.
func (p *Pages) actions(w http.ResponseWriter, r *http.Request) {
	wanted := dbsqlc.AdminActionListParams{PageSize: pageLines}
	if before, err := strconv.ParseInt(r.URL.Query().Get("before"), 10, 64); err == nil {
		wanted.BeforeID = &before
	}
	if target := r.URL.Query().Get("target"); target != "" {
		wanted.Target = &target
	}
	list := &actionsPage{page: p.page(r, "Actions")}
	var err error
	if list.Actions, err = dbsqlc.New().AdminActionList(r.Context(), db.Replanned{On: p.cfg.DB}, wanted); err != nil {
		p.failed(w, r, "list actions", err)
		return
	}
	if len(list.Actions) == pageLines {
		list.Next = "/actions?before=" + strconv.FormatInt(list.Actions[pageLines-1].ID, 10)
	}
	p.show(w, r, http.StatusOK, "actions", list)
}
