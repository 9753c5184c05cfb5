package main

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"weir/jobs"
)

// callbackList is the JSON of callbacks list.
type callbackList struct {
	Callbacks []callbackShown `json:"callbacks"`
}

// callbackShown is a terminal callback and the state of its delivery.
type callbackShown struct {
	ID            uuid.UUID  `json:"id"`
	TranscodeID   uuid.UUID  `json:"transcode_id"`
	Tenant        string     `json:"tenant"`
	ExternalID    *string    `json:"external_id"`
	Run           int32      `json:"run"`
	Outcome       string     `json:"outcome"`
	State         string     `json:"state"`
	URL           string     `json:"url"`
	Attempts      int32      `json:"attempts"`
	LastStatus    *int32     `json:"last_status"`
	LastError     string     `json:"last_error"`
	NextAttemptAt *time.Time `json:"next_attempt_at"`
	CreatedAt     time.Time  `json:"created_at"`
	DeliveredAt   *time.Time `json:"delivered_at"`
	LagSeconds    float64    `json:"lag_seconds"`
	Receiver      string     `json:"receiver"`
}

// redelivery is the JSON of callbacks redeliver.
type redelivery struct {
	CallbackID uuid.UUID `json:"callback_id"`
}

func (a *admin) callbacks() *cobra.Command {
	return group("callbacks", "What Studio is told", a.callbacksList(), a.callbacksRedeliver())
}

func (a *admin) callbacksList() *cobra.Command {
	var tenant, state, transcode string
	var filter jobs.CallbackFilter
	c := limited(&cobra.Command{
		Use: "list", Short: "List terminal callbacks and their delivery, newest first",
		RunE: act(func(ctx context.Context, _ []string) error {
			filter.Tenant, filter.State = given(tenant), given(state)
			return a.listCallbacks(ctx, &filter)
		}),
	}, &filter.Limit)
	c.Flags().StringVar(&tenant, "tenant", "", "only this tenant's")
	c.Flags().StringVar(&state, "state", "", "only these: pending, delivered, refused, expired, superseded")
	c.Flags().StringVar(&transcode, "transcode", "", "only this transcode's, by its id")
	return filteredByTranscode(c, &transcode, &filter.TranscodeID)
}

func (a *admin) listCallbacks(ctx context.Context, filter *jobs.CallbackFilter) error {
	_, callbacks, err := a.openJobs(ctx)
	if err != nil {
		return err
	}
	rows, err := callbacks.List(ctx, *filter)
	if err != nil {
		return err
	}
	list := callbackList{Callbacks: []callbackShown{}}
	var lines [][]any
	for i := range rows {
		list.Callbacks = append(list.Callbacks, callbackShown(rows[i]))
		c := &rows[i]
		lines = append(lines, []any{c.ID, c.CreatedAt, c.Tenant, c.TranscodeID, c.Outcome, c.State, c.Attempts, c.LastStatus, c.NextAttemptAt, c.LastError})
	}
	return a.print(list, func() error {
		return a.table("ID DECIDED TENANT TRANSCODE OUTCOME STATE ATTEMPTS STATUS NEXT ERROR", lines)
	})
}

func (a *admin) callbacksRedeliver() *cobra.Command {
	var id uuid.UUID
	return &cobra.Command{
		Use: "redeliver ID", Short: "Send a callback again, under its event id; nothing else changes", Args: oneID(&id),
		RunE: act(func(ctx context.Context, _ []string) error {
			_, callbacks, err := a.openJobs(ctx)
			if err != nil {
				return err
			}
			if err := callbacks.Redeliver(ctx, id); err != nil {
				return err
			}
			return a.print(redelivery{id}, func() error {
				return say(a.out, "callback %s is sent again as soon as a daemon that leads is up", id)
			})
		}),
	}
}
