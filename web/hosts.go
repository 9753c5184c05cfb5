package web

import (
	"net/http"
	"time"

	"weir/db/dbsqlc"
	"weir/jobs/fleet"
)

// pause is since when something is paused, by whom and why.
type pause struct {
	At          time.Time
	By, Because string
}

func pauseOf(since *time.Time, by, why *string) *pause {
	if since == nil {
		return nil
	}
	return &pause{At: *since, By: text(by), Because: text(why)}
}

// hostLine is a machine and what it does.
type hostLine struct {
	dbsqlc.Host

	Used, Storing int64
	// Is is one word for it; Takes says whether it takes work, Gone that its lease has ended.
	Is      string
	Takes   bool
	Gone    bool
	Drained *pause
}

func lineOf(row *dbsqlc.HostListRow) hostLine {
	h := &row.Host
	line := hostLine{Host: *h, Used: row.Used, Storing: row.Storing, Is: fleet.HostState(row), Gone: !row.Alive, Drained: pauseOf(h.DrainedAt, h.DrainedBy, h.DrainReason)}
	line.Takes = line.Is == fleet.Alive
	return line
}

type hostsPage struct {
	page

	Hosts []hostLine
}

func (p *Pages) hosts(w http.ResponseWriter, r *http.Request) {
	rows, err := dbsqlc.New().HostList(r.Context(), p.cfg.DB)
	if err != nil {
		p.failed(w, r, "list hosts", err)
		return
	}
	list := &hostsPage{page: p.page(r, "Hosts")}
	for i := range rows {
		list.Hosts = append(list.Hosts, lineOf(&rows[i]))
	}
	p.show(w, r, http.StatusOK, "hosts", list)
}
