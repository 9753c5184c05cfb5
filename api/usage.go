package api

import (
	"context"
	"time"

	"weir/db"
	"weir/db/dbsqlc"
)

const (
	// usageDays are shown when no time is asked for.
	usageDays = 30
	// maxUsageDays and maxUsageLines bound an answer; a year of a tenant's has 366 lines.
	maxUsageDays  = 366
	maxUsageLines = 10_000
)

type usageInput struct {
	Tenant string `query:"tenant" maxLength:"64" pattern:"^[a-zA-Z0-9_.-]*$" patternDescription:"a tenant's name" doc:"The caller's own; an operator may name any."`
	From   string `query:"from" pattern:"^[0-9]{4}-[0-9]{2}-[0-9]{2}$" patternDescription:"a day, as 2026-11-26" doc:"The first day, in UTC; 30 days ago if left out." example:"2026-11-01"`
	To     string `query:"to" pattern:"^[0-9]{4}-[0-9]{2}-[0-9]{2}$" patternDescription:"a day, as 2026-11-26" doc:"The day behind the last; tomorrow if left out." example:"2026-12-01"`
}

type usageOutput struct{ Body Usage }

// Usage is what was used, by day.
type Usage struct {
	From  string      `json:"from" doc:"The first day."`
	To    string      `json:"to" doc:"The day behind the last."`
	Items []UsedOnDay `json:"items" nullable:"false"`
}

// UsedOnDay is what a tenant's runs that ended on a day used.
type UsedOnDay struct {
	Tenant        string  `json:"tenant"`
	Day           string  `json:"day" doc:"In UTC."`
	Succeeded     int64   `json:"succeeded" doc:"Runs that succeeded."`
	Failed        int64   `json:"failed"`
	Cancelled     int64   `json:"cancelled"`
	Attempts      int64   `json:"attempts" doc:"Made by these runs."`
	SourceMinutes float64 `json:"source_minutes" doc:"Of their sources, once a run, where it was found out."`
	OutputMinutes float64 `json:"output_minutes" doc:"Of the renditions that they stored and verified."`
	Pixels        int64   `json:"pixels" doc:"Frames by width by height of those renditions."`
	Bytes         int64   `json:"bytes" doc:"Of those renditions."`
}

// day is what usage is counted by, in UTC.
const day = 24 * time.Hour

func (s *server) usage(ctx context.Context, in *usageInput) (*usageOutput, error) {
	tenant, err := tenantAsked(callerOf(ctx), in.Tenant)
	if err != nil {
		return nil, err
	}
	from, to, err := in.days(time.Now().UTC())
	if err != nil {
		return nil, err
	}
	list, err := s.used(ctx, tenant, from, to)
	if err != nil {
		return nil, s.problem(ctx, "usage", err)
	}
	if len(list) > maxUsageLines {
		return nil, refuse([]error{refusal("query.from", "has too many lines behind it: ask for fewer days, or name a tenant")})
	}
	out := &usageOutput{Body: Usage{From: from.Format(time.DateOnly), To: to.Format(time.DateOnly), Items: []UsedOnDay{}}}
	for i := range list {
		u := &list[i]
		out.Body.Items = append(out.Body.Items, UsedOnDay{
			Tenant: u.Tenant, Day: u.Day.Format(time.DateOnly), Succeeded: u.Succeeded, Failed: u.Failed, Cancelled: u.Cancelled,
			Attempts: u.Attempts, SourceMinutes: u.SourceMinutes, OutputMinutes: u.OutputMinutes, Pixels: u.Pixels, Bytes: u.Bytes,
		})
	}
	return out, nil
}

func (s *server) used(ctx context.Context, tenant string, from, to time.Time) ([]dbsqlc.UsageDay, error) {
	if tenant == "" {
		return dbsqlc.New().UsageListOfAll(ctx, db.Replanned{On: s.cfg.Transcodes.DB}, dbsqlc.UsageListOfAllParams{FromDay: from, ToDay: to, PageSize: maxUsageLines + 1})
	}
	return dbsqlc.New().UsageList(ctx, db.Replanned{On: s.cfg.Transcodes.DB}, dbsqlc.UsageListParams{Tenant: tenant, FromDay: from, ToDay: to, PageSize: maxUsageLines + 1})
}

// days are the first one and the one behind the last.
func (in *usageInput) days(now time.Time) (from, to time.Time, err error) {
	var errs []error
	read := func(text, at string, otherwise time.Time) time.Time {
		if text == "" {
			return otherwise
		}
		day, err := time.Parse(time.DateOnly, text)
		if err != nil {
			errs = append(errs, refusal(at, "is no day of the calendar, as 2026-11-26"))
		}
		return day
	}
	today := now.Truncate(day)
	to = read(in.To, "query.to", today.AddDate(0, 0, 1))
	from = read(in.From, "query.from", to.AddDate(0, 0, -usageDays-1))
	switch {
	case len(errs) > 0:
	case !from.Before(to):
		errs = append(errs, refusal("query.to", "is not behind from"))
	case to.Sub(from) > maxUsageDays*day:
		errs = append(errs, refusal("query.from", "is more than a year before to; ask for a year at a time"))
	}
	if len(errs) > 0 {
		return from, to, refuse(errs)
	}
	return from, to, nil
}
