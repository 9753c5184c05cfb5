package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/spf13/cobra"

	"weir/api/view"
	"weir/db"
	"weir/db/dbsqlc"
	"weir/jobs"
)

// deliveryList is the JSON of events deliveries list.
type deliveryList struct {
	Deliveries []deliveryShown `json:"deliveries"`
}

// deliveryShown is an event on its way to a subscriber.
type deliveryShown struct {
	ID            uuid.UUID  `json:"id"`
	EventID       int64      `json:"event_id"`
	Type          string     `json:"type"`
	TranscodeID   uuid.UUID  `json:"transcode_id"`
	Tenant        string     `json:"tenant"`
	ExternalID    *string    `json:"external_id"`
	URL           string     `json:"url"`
	State         string     `json:"state"`
	Attempts      int32      `json:"attempts"`
	LastStatus    *int32     `json:"last_status"`
	LastError     string     `json:"last_error"`
	NextAttemptAt *time.Time `json:"next_attempt_at"`
	CreatedAt     time.Time  `json:"created_at"`
	DeliveredAt   *time.Time `json:"delivered_at"`
}

// deliveryDetail is the JSON of events deliveries show.
type deliveryDetail struct {
	deliveryShown

	Tries []eventTry `json:"tries"`
}

// eventTry is one post of an event.
type eventTry struct {
	Number    int32     `json:"number"`
	SentAt    time.Time `json:"sent_at"`
	Status    *int32    `json:"status"`
	LatencyMS int32     `json:"latency_ms"`
	Error     string    `json:"error"`
	Answer    string    `json:"answer"`
}

func (a *admin) events() *cobra.Command {
	return group("events", "What became of transcodes, as it happens, and who was told",
		a.eventsTail(), group("deliveries", "Events on their way to subscribers", a.deliveriesList(), a.deliveriesShow()))
}

// tail is what events tail follows.
type tail struct {
	after             int64
	tenant, transcode string
	id                *uuid.UUID
	every             time.Duration
	once              bool
}

func (a *admin) eventsTail() *cobra.Command {
	t := &tail{}
	c := &cobra.Command{
		Use: "tail", Short: "Follow the events of transcodes; what is printed can be gone on from", Args: asUsed,
		RunE: act(func(ctx context.Context, _ []string) error { return a.tail(ctx, t) }),
	}
	c.Flags().Int64Var(&t.after, "after", -1, "begin behind this event, an id as printed; 0: with the oldest kept; not given: with what comes from now on")
	c.Flags().StringVar(&t.tenant, "tenant", "", "only this tenant's")
	c.Flags().StringVar(&t.transcode, "transcode", "", "only this transcode's, by its id")
	c.Flags().BoolVar(&t.once, "once", false, "print what there is and end")
	c.PreRunE = func(*cobra.Command, []string) error {
		if t.tenant != "" && t.transcode != "" {
			return errors.New("--tenant and --transcode exclude each other: a transcode is of one tenant")
		}
		if c.Flags().Changed("after") && t.after < 0 {
			return fmt.Errorf("--after is %d: give an event's id, or 0", t.after)
		}
		return nil
	}
	return lookingEvery(filteredByTranscode(c, &t.transcode, &t.id), &t.every)
}

func (a *admin) tail(ctx context.Context, t *tail) error {
	if err := a.open(ctx); err != nil {
		return err
	}
	after := t.after
	if after > 0 {
		kept, err := dbsqlc.New().EventBounds(ctx, a.pool)
		if err != nil {
			return fmt.Errorf("read the oldest event: %w", err)
		}
		if kept.Oldest > after+1 {
			return fmt.Errorf("events between %d and %d are not kept any more: go on with --after 0, and read the transcodes themselves", after, kept.Oldest)
		}
		settled, err := dbsqlc.New().EventSettled(ctx, a.pool)
		if err != nil {
			return fmt.Errorf("read how far events are: %w", err)
		}
		if after > settled {
			return fmt.Errorf("--after is %d, and the newest event is %d: give an id as printed, or leave it out for what comes from now on", after, settled)
		}
	}
	err := repeat(ctx, t.every, func(ctx context.Context) (over bool, err error) {
		after, over, err = a.tailOnce(ctx, t, after)
		return over && t.once, err
	})
	return unlessStopped(ctx, err)
}

// tailOnce prints a page. over: there is nothing behind it yet.
func (a *admin) tailOnce(ctx context.Context, t *tail, after int64) (next int64, over bool, err error) {
	q := dbsqlc.New()
	settled, err := q.EventSettled(ctx, a.pool)
	if err != nil {
		return after, false, fmt.Errorf("read how far events are: %w", err)
	}
	if after < 0 {
		return settled, true, nil
	}
	var list []dbsqlc.Event
	switch {
	case t.id != nil:
		list, err = q.EventListOfTranscode(ctx, a.pool, dbsqlc.EventListOfTranscodeParams{TranscodeID: *t.id, After: after, Settled: settled, PageSize: maxLimit})
	case t.tenant != "":
		list, err = q.EventListOfTenant(ctx, a.pool, dbsqlc.EventListOfTenantParams{Tenant: t.tenant, After: after, Settled: settled, PageSize: maxLimit})
	default:
		list, err = q.EventListAfter(ctx, a.pool, dbsqlc.EventListAfterParams{After: after, Settled: settled, PageSize: maxLimit})
	}
	if err != nil {
		return after, false, fmt.Errorf("list events: %w", err)
	}
	for i := range list {
		if err := a.printEvent(&list[i]); err != nil {
			return after, false, err
		}
		after = list[i].ID
	}
	if len(list) < maxLimit {
		return max(after, settled), true, nil
	}
	return after, false, nil
}

func (a *admin) printEvent(e *dbsqlc.Event) error {
	if a.json {
		return a.printLine(view.EventOf(e))
	}
	line := []string{
		strconv.FormatInt(e.ID, 10), cell(e.CreatedAt), e.TranscodeID.String(), printable(e.Tenant), e.Type, percent(e.Ratio),
		fmt.Sprintf("attempt %d on %s", e.Attempt, cell(e.HostID)),
	}
	for _, about := range []*string{e.Rendition, e.Output, e.ErrorCode} {
		if about != nil {
			line = append(line, printable(*about))
		}
	}
	return say(a.out, "%s", strings.Join(line, "  "))
}

// deliveryStates are those of an event on its way.
func deliveryStates() []string {
	return []string{jobs.CallbackPending, jobs.CallbackDelivered, jobs.CallbackRefused, jobs.CallbackExpired}
}

func (a *admin) deliveriesList() *cobra.Command {
	var tenant, state, transcode string
	var id *uuid.UUID
	var limit int32
	c := limited(&cobra.Command{
		Use: "list", Short: "List what subscribers are still to be told, or were told of one transcode",
		RunE: act(func(ctx context.Context, _ []string) error { return a.listDeliveries(ctx, tenant, state, id, limit) }),
	}, &limit)
	c.Flags().StringVar(&tenant, "tenant", "", "only this tenant's, of what is pending")
	c.Flags().StringVar(&transcode, "transcode", "", "all of this transcode's, by its id, newest first")
	c.Flags().StringVar(&state, "state", "", "with --transcode only these: "+strings.Join(deliveryStates(), ", "))
	offered(c, "state", deliveryStates())
	check := c.PreRunE
	c.PreRunE = func(c *cobra.Command, args []string) error {
		switch {
		case transcode == "" && state != "" && state != jobs.CallbackPending:
			return errors.New("--state needs --transcode: of all others only what is pending is listed")
		case transcode != "" && tenant != "":
			return errors.New("--tenant and --transcode exclude each other: a transcode is of one tenant")
		}
		if err := known("state", state, deliveryStates()); err != nil {
			return err
		}
		return check(c, args)
	}
	return filteredByTranscode(c, &transcode, &id)
}

func (a *admin) listDeliveries(ctx context.Context, tenant, state string, id *uuid.UUID, limit int32) error {
	if err := a.open(ctx); err != nil {
		return err
	}
	on := db.Replanned{On: a.pool}
	list := deliveryList{Deliveries: []deliveryShown{}}
	if id != nil {
		rows, err := dbsqlc.New().EventDeliveryListOfTranscode(ctx, on, dbsqlc.EventDeliveryListOfTranscodeParams{TranscodeID: *id, State: given(state), PageSize: limit})
		if err != nil {
			return fmt.Errorf("list deliveries of %s: %w", id, err)
		}
		for i := range rows {
			list.Deliveries = append(list.Deliveries, showDelivery(dbsqlc.EventDeliveryGetRow(rows[i])))
		}
	} else {
		rows, err := dbsqlc.New().EventDeliveryListPending(ctx, on, dbsqlc.EventDeliveryListPendingParams{Tenant: given(tenant), PageSize: limit})
		if err != nil {
			return fmt.Errorf("list deliveries: %w", err)
		}
		for i := range rows {
			list.Deliveries = append(list.Deliveries, showDelivery(dbsqlc.EventDeliveryGetRow(rows[i])))
		}
	}
	var lines [][]any
	for i := range list.Deliveries {
		d := &list.Deliveries[i]
		lines = append(lines, []any{d.ID, d.EventID, d.CreatedAt, d.Tenant, d.TranscodeID, d.Type, d.State, d.Attempts, d.LastStatus, d.NextAttemptAt, d.URL, d.LastError})
	}
	return a.print(list, func() error {
		return a.table("ID EVENT CREATED TENANT TRANSCODE TYPE STATE ATTEMPTS STATUS NEXT URL ERROR", lines)
	})
}

func showDelivery(row dbsqlc.EventDeliveryGetRow) deliveryShown {
	d := &row.EventDelivery
	shown := deliveryShown{
		ID: d.ID, EventID: d.EventID, Type: row.Type, TranscodeID: d.TranscodeID, Tenant: d.Tenant, ExternalID: row.ExternalID, URL: row.URL,
		State: d.State, Attempts: d.Attempts, LastStatus: d.LastStatus, LastError: d.LastError, CreatedAt: d.CreatedAt, DeliveredAt: d.DeliveredAt,
	}
	if d.State == jobs.CallbackPending {
		shown.NextAttemptAt = &d.NextAttemptAt
	}
	return shown
}

func (a *admin) deliveriesShow() *cobra.Command {
	var id uuid.UUID
	return &cobra.Command{
		Use: "show ID", Short: "Show an event's delivery, try by try", Args: oneID(&id),
		RunE: act(func(ctx context.Context, _ []string) error {
			if err := a.open(ctx); err != nil {
				return err
			}
			q := dbsqlc.New()
			row, err := q.EventDeliveryGet(ctx, a.pool, id)
			if errors.Is(err, pgx.ErrNoRows) {
				return fmt.Errorf("show delivery %s: there is none of this id", id)
			}
			if err != nil {
				return fmt.Errorf("show delivery %s: %w", id, err)
			}
			tries, err := q.EventDeliveryAttemptList(ctx, a.pool, id)
			if err != nil {
				return fmt.Errorf("show delivery %s: %w", id, err)
			}
			shown := deliveryDetail{deliveryShown: showDelivery(row), Tries: []eventTry{}}
			var lines [][]any
			for _, t := range tries {
				shown.Tries = append(shown.Tries, eventTry{Number: t.Number, SentAt: t.SentAt, Status: t.Status, LatencyMS: t.LatencyMs, Error: t.Error, Answer: t.Answer})
				lines = append(lines, []any{t.Number, t.SentAt, t.Status, t.LatencyMs, t.Error, t.Answer})
			}
			return a.print(shown, func() error {
				if err := a.table("DELIVERY", [][]any{
					{"id", shown.ID}, {"event", shown.EventID}, {"type", shown.Type}, {"transcode", shown.TranscodeID}, {"tenant", shown.Tenant},
					{"external id", shown.ExternalID}, {"to", shown.URL}, {"state", shown.State}, {"next", shown.NextAttemptAt}, {"delivered", shown.DeliveredAt},
				}); err != nil {
					return err
				}
				return a.table("TRY SENT STATUS MS ERROR ANSWER", lines)
			})
		}),
	}
}
