package web

import (
	"net/http"

	"weir/db/dbsqlc"
)

type tenantsPage struct {
	page

	Paused    *pause
	Tenants   []dbsqlc.TenantListRow
	CountMost int64
}

func (p *Pages) tenants(w http.ResponseWriter, r *http.Request) {
	q := dbsqlc.New()
	placement, err := q.PlacementGet(r.Context(), p.cfg.DB)
	if err != nil {
		p.failed(w, r, "read the placement", err)
		return
	}
	list, err := q.TenantList(r.Context(), p.cfg.DB, dbsqlc.TenantListParams{PageSize: countMost})
	if err != nil {
		p.failed(w, r, "list tenants", err)
		return
	}
	p.show(w, r, http.StatusOK, "tenants", &tenantsPage{
		page: p.page(r, "Tenants"), Tenants: list, CountMost: countMost,
		Paused: pauseOf(placement.PausedAt, placement.PausedBy, placement.PauseReason),
	})
}
