package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"weir/api/view"
	"weir/jobs"
	"weir/jobs/bulk"
	"weir/jobs/filter"
)

func (a *admin) transcodes() *cobra.Command {
	return group("transcodes", "Requests: where they are, how they ended",
		a.transcodesList(), a.transcodesShow(), a.transcodesExplain(), a.transcodesWatch(), a.transcodesTimeline(), a.transcodesRetry(), a.transcodesCancel(), a.transcodesBump())
}

// transcodeList is the JSON of transcodes list.
type transcodeList struct {
	Transcodes []view.Transcode `json:"transcodes"`
}

func (a *admin) transcodesList() *cobra.Command {
	var tenant, state, externalID, host, from, to, text string
	var f filter.Filter
	var rest jobs.Filter
	c := limited(&cobra.Command{
		Use: "list", Short: "List transcodes, newest first",
		RunE: act(func(ctx context.Context, _ []string) error { return a.listTranscodes(ctx, &f, &rest) }),
	}, &rest.Limit)
	c.Flags().StringVar(&text, "filter", "", filterUsage)
	c.Flags().StringVar(&tenant, "tenant", "", "only this tenant's")
	c.Flags().StringVar(&state, "state", "", "only these: "+strings.Join(jobs.States(), ", "))
	offered(c, "state", jobs.States())
	c.Flags().StringVar(&externalID, "external-id", "", "only with this id of the caller")
	c.Flags().StringVar(&host, "host", "", "only with their newest attempt on this host")
	c.Flags().StringVar(&from, "from", "", "accepted at this time or later, as 2026-01-31T12:00:00Z")
	c.Flags().StringVar(&to, "to", "", "accepted before this time")
	checked(c, func() (err error) {
		if err := known("state", state, jobs.States()); err != nil {
			return err
		}
		if f, err = filter.Parse(text); err != nil {
			return fmt.Errorf("--filter: %w", err)
		}
		if err := alsoFlags(
			same{"tenant", tenant, &f.Tenants}, same{"state", state, &f.States}, same{"external-id", externalID, &f.ExternalIDs}, same{"host", host, &f.Hosts},
		); err != nil {
			return err
		}
		if _, err := f.Lists(time.Time{}); err != nil {
			return fmt.Errorf("--filter: %w", err)
		}
		if rest.CreatedFrom, err = parseTime("from", from); err != nil {
			return err
		}
		rest.CreatedTo, err = parseTime("to", to)
		return err
	})
	return c
}

func parseTime(flag, text string) (*time.Time, error) {
	if text == "" {
		return nil, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return nil, fmt.Errorf("--%s is %q: give a time as 2026-01-31T12:00:00Z", flag, text)
	}
	return &at, nil
}

// listTranscodes lists what the filter means, between the times of rest.
func (a *admin) listTranscodes(ctx context.Context, f *filter.Filter, rest *jobs.Filter) error {
	transcodes, _, err := a.openJobs(ctx)
	if err != nil {
		return err
	}
	now, err := transcodes.Now(ctx)
	if err != nil {
		return err
	}
	lists, err := f.Lists(now)
	if err != nil {
		return err
	}
	for i := range lists {
		lists[i].Between(rest.CreatedFrom, rest.CreatedTo)
		lists[i].Limit = rest.Limit
	}
	details, err := transcodes.ListAny(ctx, lists)
	if err != nil {
		return err
	}
	list := transcodeList{Transcodes: []view.Transcode{}}
	var lines [][]any
	for i := range details {
		t := view.Of(&details[i])
		list.Transcodes = append(list.Transcodes, t)
		lines = append(lines, []any{t.ID, t.CreatedAt, t.Tenant, t.ExternalID, t.State, percent(t.Ratio), t.Host, t.Attempt, stored(&t), callbackState(&t), errorCode(t.Error)})
	}
	return a.print(list, func() error {
		return a.table("ID ACCEPTED TENANT EXTERNAL-ID STATE DONE HOST ATTEMPT STORED CALLBACK ERROR", lines)
	})
}

// stored is how many renditions are verified, of how many.
func stored(t *view.Transcode) string {
	ok := 0
	for i := range t.Renditions {
		if t.Renditions[i].State == jobs.RenditionOK {
			ok++
		}
	}
	return fmt.Sprintf("%d/%d", ok, len(t.Renditions))
}

func callbackState(t *view.Transcode) string {
	if t.Callback == nil {
		return ""
	}
	return t.Callback.State
}

func errorCode(f *view.Failure) string {
	if f == nil {
		return ""
	}
	return f.Code
}

func (a *admin) transcodesRetry() *cobra.Command {
	var id uuid.UUID
	m := &mass{}
	c := &cobra.Command{Use: "retry [ID]", Short: "Begin a new run of a failed transcode, or of all that a filter means; renditions that are ok stay"}
	return a.oneOrMany(c, &id, m, bulk.Retry, func(ctx context.Context) error {
		var t view.Transcode
		err := a.do(ctx, &m.change, "transcodes retry", id.String(), nil, func(transcodes *jobs.Transcodes, _ *jobs.Callbacks) error {
			detail, err := transcodes.Retry(ctx, id)
			t = view.Of(&detail)
			return err
		})
		if err != nil {
			return err
		}
		return a.print(t, func() error {
			return a.saying(m.dry, "transcode %s is queued again: run %d, %s renditions stored", id, t.Run, stored(&t))
		})
	})
}

func (a *admin) transcodesCancel() *cobra.Command {
	var id uuid.UUID
	m := &mass{change: change{needs: true}}
	c := &cobra.Command{Use: "cancel [ID]", Short: "Cancel a transcode, or all that a filter means; hosts clean up behind it"}
	return a.oneOrMany(c, &id, m, bulk.Cancel, func(ctx context.Context) error {
		var t view.Transcode
		err := a.do(ctx, &m.change, "transcodes cancel", id.String(), nil, func(transcodes *jobs.Transcodes, _ *jobs.Callbacks) error {
			detail, err := transcodes.Cancel(ctx, "", id)
			t = view.Of(&detail)
			return err
		})
		if err != nil {
			return err
		}
		return a.print(t, func() error { return a.saying(m.dry, "transcode %s is cancelled", id) })
	})
}

func (a *admin) transcodesBump() *cobra.Command {
	var id uuid.UUID
	var priority int
	ch := &change{}
	c := &cobra.Command{
		Use: "bump ID", Short: "Change a transcode's priority, and with it its place in its tenant's queue", Args: oneID(&id),
		RunE: act(func(ctx context.Context, _ []string) error {
			var t view.Transcode
			err := a.do(ctx, ch, "transcodes bump", id.String(), map[string]int{"priority": priority}, func(transcodes *jobs.Transcodes, _ *jobs.Callbacks) error {
				detail, err := transcodes.Bump(ctx, id, priority)
				t = view.Of(&detail)
				return err
			})
			if err != nil {
				return err
			}
			return a.print(t, func() error { return a.saying(ch.dry, "transcode %s has priority %d", id, t.Priority) })
		}),
	}
	c.Flags().IntVar(&priority, "priority", jobs.MostUrgent, fmt.Sprintf("%d, the most urgent, to %d", jobs.MostUrgent, jobs.LeastUrgent))
	return checked(a.changing(c, ch), func() error { return within("priority", priority, jobs.MostUrgent, jobs.LeastUrgent) })
}
