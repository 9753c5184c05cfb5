package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"weir/api/view"
	"weir/jobs"
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
	var tenant, state, externalID, host, from, to string
	var filter jobs.Filter
	c := limited(&cobra.Command{
		Use: "list", Short: "List transcodes, newest first",
		RunE: act(func(ctx context.Context, _ []string) error {
			filter.Tenant, filter.State, filter.ExternalID, filter.HostID = given(tenant), given(state), given(externalID), given(host)
			return a.listTranscodes(ctx, &filter)
		}),
	}, &filter.Limit)
	c.Flags().StringVar(&tenant, "tenant", "", "only this tenant's")
	c.Flags().StringVar(&state, "state", "", "only these: "+strings.Join(jobs.States(), ", "))
	c.Flags().StringVar(&externalID, "external-id", "", "only with this id of the caller")
	c.Flags().StringVar(&host, "host", "", "only with their newest attempt on this host")
	c.Flags().StringVar(&from, "from", "", "accepted at this time or later, as 2026-01-31T12:00:00Z")
	c.Flags().StringVar(&to, "to", "", "accepted before this time")
	checkLimit := c.PreRunE
	c.PreRunE = func(c *cobra.Command, args []string) (err error) {
		if state != "" && !slices.Contains(jobs.States(), state) {
			return fmt.Errorf("--state is %q: give one of %s", state, strings.Join(jobs.States(), ", "))
		}
		if filter.CreatedFrom, err = parseTime("from", from); err != nil {
			return err
		}
		if filter.CreatedTo, err = parseTime("to", to); err != nil {
			return err
		}
		return checkLimit(c, args)
	}
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

func (a *admin) listTranscodes(ctx context.Context, filter *jobs.Filter) error {
	transcodes, _, err := a.openJobs(ctx)
	if err != nil {
		return err
	}
	details, err := transcodes.List(ctx, *filter)
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
	return &cobra.Command{
		Use: "retry ID", Short: "Begin a new run of a failed transcode; renditions that are ok stay", Args: oneID(&id),
		RunE: act(func(ctx context.Context, _ []string) error {
			transcodes, _, err := a.openJobs(ctx)
			if err != nil {
				return err
			}
			detail, err := transcodes.Retry(ctx, id)
			if err != nil {
				return err
			}
			t := view.Of(&detail)
			return a.print(t, func() error {
				return say(a.out, "transcode %s is queued again: run %d, %s renditions stored", id, t.Run, stored(&t))
			})
		}),
	}
}

func (a *admin) transcodesCancel() *cobra.Command {
	var id uuid.UUID
	return &cobra.Command{
		Use: "cancel ID", Short: "Cancel a transcode; hosts clean up behind it", Args: oneID(&id),
		RunE: act(func(ctx context.Context, _ []string) error {
			transcodes, _, err := a.openJobs(ctx)
			if err != nil {
				return err
			}
			detail, err := transcodes.Cancel(ctx, "", id)
			if err != nil {
				return err
			}
			t := view.Of(&detail)
			return a.print(t, func() error { return say(a.out, "transcode %s is cancelled", id) })
		}),
	}
}

func (a *admin) transcodesBump() *cobra.Command {
	var id uuid.UUID
	var priority int
	c := &cobra.Command{
		Use: "bump ID", Short: "Change a transcode's priority, and with it its place in its tenant's queue", Args: oneID(&id),
		RunE: act(func(ctx context.Context, _ []string) error {
			transcodes, _, err := a.openJobs(ctx)
			if err != nil {
				return err
			}
			detail, err := transcodes.Bump(ctx, id, priority)
			if err != nil {
				return err
			}
			t := view.Of(&detail)
			return a.print(t, func() error { return say(a.out, "transcode %s has priority %d", id, t.Priority) })
		}),
	}
	c.Flags().IntVar(&priority, "priority", jobs.MostUrgent, fmt.Sprintf("%d, the most urgent, to %d", jobs.MostUrgent, jobs.LeastUrgent))
	return c
}
