package web

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"weir/db"
	"weir/db/dbsqlc"
	"weir/jobs"
	"weir/web/chart"
)

const (
	// countMost is how far anything is counted: more than that is "10,000+".
	countMost = 10_000
	// endsMost of the last hour are read for its chart: each is a row of the table.
	endsMost = 5_000
	// failuresMost of a day are grouped.
	failuresMost = 1_000
	// sliceMinutes is one column of the last hour, days are the columns of the other chart.
	sliceMinutes, hourMinutes = 5, 60
	days                      = 14
	// tenantsShown are the longest queues.
	tenantsShown = 12
)

type overviewPage struct {
	page

	Hour, Days *chart.Columns
	// Ended is what ended within the hour; EndsMost: it may be more.
	Ended, EndsMost int64
	Paused          *pause
	Queued          int64
	Running         int64
	Oldest          float64
	Queues          []dbsqlc.TenantListRow
	MoreQueues      int
	Hosts           []hostLine
	Slots, Used     int64
	Failures        []dbsqlc.OverviewFailuresRow
	FailuresMost    int64
	Callbacks       []dbsqlc.OverviewCallbacksRow
	CountMost       int64
}

func (p *Pages) overview(w http.ResponseWriter, r *http.Request) {
	o, err := p.lookOver(r.Context())
	if err != nil {
		p.failed(w, r, "read the overview", err)
		return
	}
	o.page = p.page(r, "Overview")
	o.Live = "/live"
	p.show(w, r, http.StatusOK, "overview", o)
}

func (p *Pages) overviewLive(w http.ResponseWriter, r *http.Request) {
	l, end := p.stream(w, r, "overview-parts")
	if l == nil {
		return
	}
	defer end()
	l.every(r.Context(), overviewEvery, func(ctx context.Context) (any, error) {
		o, err := p.lookOver(ctx)
		if err == nil {
			o.page = page{User: userOf(ctx), Now: time.Now()}
		}
		return o, err
	})
}

// lookOver reads what the overview shows, as it is at one moment.
func (p *Pages) lookOver(ctx context.Context) (*overviewPage, error) {
	o := &overviewPage{EndsMost: endsMost, FailuresMost: failuresMost, CountMost: countMost}
	err := db.Snapshot(ctx, p.cfg.DB, func(tx pgx.Tx) (err error) {
		q := dbsqlc.New()
		ends, err := q.OverviewEnds(ctx, tx, dbsqlc.OverviewEndsParams{SliceSeconds: (sliceMinutes * time.Minute).Seconds(), PageSize: endsMost})
		if err != nil {
			return err
		}
		o.Hour = hourOf(ends)
		for _, e := range ends {
			o.Ended += e.Ended
		}
		perDay, err := q.OverviewDays(ctx, tx, days)
		if err != nil {
			return err
		}
		o.Days = daysOf(perDay, time.Now())
		if o.Failures, err = q.OverviewFailures(ctx, tx, failuresMost); err != nil {
			return err
		}
		if o.Callbacks, err = q.OverviewCallbacks(ctx, tx, countMost); err != nil {
			return err
		}
		hosts, err := q.HostList(ctx, tx)
		if err != nil {
			return err
		}
		for i := range hosts {
			line := lineOf(&hosts[i])
			o.Hosts = append(o.Hosts, line)
			if line.Takes {
				o.Slots += int64(line.Slots)
			}
			o.Used += line.Used
		}
		placement, err := q.PlacementGet(ctx, tx)
		if err != nil {
			return err
		}
		o.Paused = pauseOf(placement.PausedAt, placement.PausedBy, placement.PauseReason)
		list, err := q.TenantList(ctx, tx, dbsqlc.TenantListParams{PageSize: countMost})
		o.queue(list)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look over everything: %w", err)
	}
	return o, nil
}

func (o *overviewPage) queue(list []dbsqlc.TenantListRow) {
	for i := range list {
		o.Queued += list[i].Queued
		o.Running += list[i].Running
		o.Oldest = max(o.Oldest, list[i].WaitsSeconds)
		if list[i].Queued > 0 || list[i].Running > 0 || list[i].PausedAt != nil {
			o.Queues = append(o.Queues, list[i])
		}
	}
	slices.SortStableFunc(o.Queues, func(a, b dbsqlc.TenantListRow) int { return int(b.Queued - a.Queued) })
	if len(o.Queues) > tenantsShown {
		o.MoreQueues = len(o.Queues) - tenantsShown
		o.Queues = o.Queues[:tenantsShown]
	}
}

// ends are the series of what ends, in the order that they are stacked in.
func ends() []chart.Series {
	return []chart.Series{{Name: jobs.StateSucceeded, Class: "good"}, {Name: jobs.StateCancelled, Class: "quiet"}, {Name: jobs.StateFailed, Class: "bad"}}
}

func hourOf(rows []dbsqlc.OverviewEndsRow) *chart.Columns {
	const slices = hourMinutes / sliceMinutes
	columns := make([]chart.Column, slices)
	for i := range columns {
		columns[i] = chart.Column{Label: fmt.Sprintf("-%d min", (slices-i)*sliceMinutes), Parts: make([]int64, len(ends()))}
	}
	for _, row := range rows {
		i := slices - 1 - min(int(row.Slice), slices-1)
		for j, series := range ends() {
			if series.Name == row.State && i < slices {
				columns[i].Parts[j] += row.Ended
			}
		}
	}
	return chart.Stack("Ended in the last hour", ends(), columns)
}

func daysOf(rows []dbsqlc.OverviewDaysRow, now time.Time) *chart.Columns {
	var columns []chart.Column
	for i := days - 1; i >= 0; i-- {
		on := now.UTC().AddDate(0, 0, -i)
		column := chart.Column{Label: on.Format("01-02"), Parts: make([]int64, len(ends()))}
		for _, row := range rows {
			if row.Day.Format(time.DateOnly) == on.Format(time.DateOnly) {
				column.Parts = []int64{row.Succeeded, row.Cancelled, row.Failed}
			}
		}
		columns = append(columns, column)
	}
	return chart.Stack("Ended by day", ends(), columns)
}
