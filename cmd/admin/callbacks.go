package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/spf13/cobra"

	"weir/db"
	"weir/db/dbsqlc"
	"weir/jobs"
	"weir/jobs/bulk"
	"weir/jobs/filter"
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
	return group("callbacks", "What Studio is told", a.callbacksList(), a.callbacksShow(), a.callbacksRedeliver())
}

func (a *admin) callbacksList() *cobra.Command {
	var text, tenant, state, transcode string
	var f filter.Filter
	var of jobs.CallbackFilter
	c := limited(&cobra.Command{
		Use: "list", Short: "List terminal callbacks and their delivery, newest first",
		RunE: act(func(ctx context.Context, _ []string) error { return a.listCallbacks(ctx, &f, &of) }),
	}, &of.Limit)
	c.Flags().StringVar(&text, "filter", "", filterUsage)
	c.Flags().StringVar(&tenant, "tenant", "", "only this tenant's")
	c.Flags().StringVar(&state, "state", "", "only these, as callback: of a filter: "+strings.Join(jobs.CallbackStates(), ", "))
	c.Flags().StringVar(&transcode, "transcode", "", "only this transcode's, by its id")
	offered(c, "state", jobs.CallbackStates())
	checked(c, func() (err error) {
		if err := known("state", state, jobs.CallbackStates()); err != nil {
			return err
		}
		if f, err = filter.Parse(text); err != nil {
			return fmt.Errorf("--filter: %w", err)
		}
		if err := alsoFlags(same{"tenant", tenant, &f.Tenants}, same{"state", state, &f.Callbacks}); err != nil {
			return err
		}
		if _, err := f.OfCallbacks(time.Time{}); err != nil {
			return fmt.Errorf("--filter: %w", err)
		}
		return nil
	})
	return filteredByTranscode(c, &transcode, &of.TranscodeID)
}

// callbackDetail is the JSON of callbacks show.
type callbackDetail struct {
	callbackShown

	Deliveries []deliveryAttempt `json:"deliveries"`
	Body       json.RawMessage   `json:"body"`
}

func (a *admin) callbacksShow() *cobra.Command {
	var id uuid.UUID
	return &cobra.Command{
		Use: "show ID", Short: "Show a callback: what it tells, and every delivery", Args: oneID(&id),
		RunE: act(func(ctx context.Context, _ []string) error {
			if err := a.open(ctx); err != nil {
				return err
			}
			shown, err := a.callback(ctx, id)
			if errors.Is(err, pgx.ErrNoRows) {
				err = jobs.ErrNoCallback
			}
			if err != nil {
				return fmt.Errorf("show callback %s: %w", id, err)
			}
			return a.print(shown, func() error {
				if err := a.table("CALLBACK", [][]any{
					{"id", shown.ID}, {"transcode", shown.TranscodeID}, {"tenant", shown.Tenant}, {"external id", shown.ExternalID}, {"run", shown.Run},
					{"outcome", shown.Outcome}, {"state", shown.State}, {"to", shown.URL}, {"decided", shown.CreatedAt}, {"delivered", shown.DeliveredAt},
					{"next", shown.NextAttemptAt}, {"attempts", shown.Attempts}, {"last status", shown.LastStatus}, {"last error", shown.LastError},
					{"tells", string(shown.Body)},
				}); err != nil || len(shown.Deliveries) == 0 {
					return err
				}
				if err := say(a.out, ""); err != nil {
					return err
				}
				return a.table("DELIVERY SENT STATUS MS AGAIN ERROR", deliveryLines(shown.Deliveries))
			})
		}),
	}
}

// callback reads a callback and its deliveries, as they are at one moment.
func (a *admin) callback(ctx context.Context, id uuid.UUID) (*callbackDetail, error) {
	shown := &callbackDetail{Deliveries: []deliveryAttempt{}}
	err := db.Snapshot(ctx, a.pool, func(tx pgx.Tx) error {
		q := dbsqlc.New()
		row, err := q.CallbackViewGet(ctx, tx, id)
		if err != nil {
			return err
		}
		told, err := q.CallbackGet(ctx, tx, id)
		if err != nil {
			return err
		}
		deliveries, err := q.CallbackAttemptList(ctx, tx, id)
		if err != nil {
			return err
		}
		shown.callbackShown, shown.Body = callbackShown(row), json.RawMessage(told.Body)
		for _, t := range deliveries {
			shown.Deliveries = append(shown.Deliveries, showDeliveryAttempt(&t))
		}
		return nil
	})
	return shown, err
}

func (a *admin) listCallbacks(ctx context.Context, f *filter.Filter, of *jobs.CallbackFilter) error {
	transcodes, callbacks, err := a.openJobs(ctx)
	if err != nil {
		return err
	}
	now, err := transcodes.Now(ctx)
	if err != nil {
		return err
	}
	if of.Whose, err = f.OfCallbacks(now); err != nil {
		return err
	}
	rows, err := callbacks.List(ctx, *of)
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
	var since, destination string
	m := &mass{}
	c := &cobra.Command{Use: "redeliver [ID]", Short: "Send a callback again, under its event id, or those of all transcodes that a filter means; nothing else changes"}
	c.Flags().StringVar(&since, "since", "", "of those that ended within this time, as 12h: ended< of a filter")
	c.Flags().StringVar(&destination, "destination", "", "of those told at this host, with its port where it has one: destination: of a filter")
	a.oneOrMany(c, &id, m, bulk.Redeliver, func(ctx context.Context) error {
		err := a.do(ctx, &m.change, "callbacks redeliver", id.String(), nil, func(_ *jobs.Transcodes, callbacks *jobs.Callbacks) error {
			return callbacks.Redeliver(ctx, id)
		})
		if err != nil {
			return err
		}
		return a.print(redelivery{id}, func() error {
			return a.saying(m.dry, "callback %s is sent again as soon as a daemon that leads is up", id)
		})
	})
	ofOneOrMany := c.Args
	c.Args = func(c *cobra.Command, args []string) error {
		for _, narrow := range []struct{ flag, key, value string }{{"since", "ended<", since}, {"destination", "destination:", destination}} {
			switch {
			case strings.ContainsAny(narrow.value, " \t\n"):
				return fmt.Errorf("--%s is %q: give one, without a space", narrow.flag, narrow.value)
			case narrow.value != "":
				m.filter = strings.TrimSpace(m.filter + " " + narrow.key + narrow.value)
			}
		}
		return ofOneOrMany(c, args)
	}
	return c
}
