package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/spf13/cobra"

	"weir/db"
	"weir/db/dbsqlc"
	"weir/jobs"
	"weir/jobs/filter"
	"weir/jobs/replay"
)

const eventHeading = "EVENT RECEIVED HOST TRIGGER TRANSCODE ATTEMPT RENDITION VERDICT BYTES NOTE"

// eventList is the JSON of triggers list.
type eventList struct {
	Events []eventShown `json:"events"`
}

// eventShown is a trigger that Mist posted, as it came, and what was made of it.
type eventShown struct {
	ID           int64           `json:"id"`
	UUID         *string         `json:"uuid"`
	ReceivedAt   time.Time       `json:"received_at"`
	Host         string          `json:"host"`
	Trigger      string          `json:"trigger"`
	Stream       string          `json:"stream"`
	TranscodeID  *uuid.UUID      `json:"transcode_id"`
	Attempt      *int32          `json:"attempt"`
	Rendition    *string         `json:"rendition"`
	Verdict      string          `json:"verdict"`
	Note         string          `json:"note"`
	Headers      json.RawMessage `json:"headers"`
	Payload      string          `json:"payload"`
	PayloadBytes int64           `json:"payload_bytes"`
}

func (a *admin) triggers() *cobra.Command {
	return group("triggers", "What Mist told, and what was made of it", a.triggersList(), a.triggersShow(), a.triggersReplay())
}

// verdicts are what may be made of a trigger.
func verdicts() []string { return []string{"applied", "noted", "stale", "unmatched", "unreadable"} }

// triggerKinds are those that Mist is asked for.
func triggerKinds() []string {
	return []string{"LIVE_TRACK_LIST", "PUSH_END", "RECORDING_END", "INPUT_ABORT", "LIVEPEER_SEGMENT_REJECTED"}
}

func (a *admin) triggersList() *cobra.Command {
	var text, host, transcode, trigger, verdict string
	var since sinceFlag
	var f filter.Filter
	var params dbsqlc.MistEventListParams
	c := limited(&cobra.Command{
		Use: "list", Short: "List triggers as they came, newest first",
		RunE: act(func(ctx context.Context, _ []string) error {
			if err := a.open(ctx); err != nil {
				return err
			}
			params.Trigger, params.Verdict = given(trigger), given(verdict)
			if err := a.narrow(ctx, &params, &f, &since); err != nil {
				return err
			}
			events, err := a.readTriggers(ctx, &params)
			if err != nil {
				return err
			}
			return a.print(eventList{events}, func() error { return a.table(eventHeading, eventLines(events)) })
		}),
	}, &params.PageSize)
	c.Flags().StringVar(&text, "filter", "", filterUsage)
	c.Flags().StringVar(&host, "host", "", "only of this host, as host: of a filter")
	c.Flags().StringVar(&transcode, "transcode", "", "only this transcode's, by its id")
	c.Flags().StringVar(&trigger, "trigger", "", "only of this kind: "+strings.Join(triggerKinds(), ", "))
	c.Flags().StringVar(&verdict, "verdict", "", "only with this verdict: "+strings.Join(verdicts(), ", "))
	since.listed(c)
	offered(c, "trigger", triggerKinds())
	offered(c, "verdict", verdicts())
	checked(c, func() (err error) {
		if err := known("trigger", trigger, triggerKinds()); err != nil {
			return err
		}
		if err := known("verdict", verdict, verdicts()); err != nil {
			return err
		}
		if f, err = filter.Parse(text); err != nil {
			return fmt.Errorf("--filter: %w", err)
		}
		if err := alsoFlags(same{"host", host, &f.Hosts}); err != nil {
			return err
		}
		if _, err := f.OfTriggers(time.Time{}); err != nil {
			return fmt.Errorf("--filter: %w", err)
		}
		return nil
	})
	return filteredByTranscode(c, &transcode, &params.TranscodeID)
}

// narrow puts what a filter means now into what is asked for.
func (a *admin) narrow(ctx context.Context, params *dbsqlc.MistEventListParams, f *filter.Filter, since *sinceFlag) error {
	now, err := dbsqlc.New().Clock(ctx, a.pool)
	if err != nil {
		return fmt.Errorf("ask for the time: %w", err)
	}
	of, err := f.OfTriggers(now)
	if err != nil {
		return fmt.Errorf("--filter: %w", err)
	}
	params.ReceivedFrom = since.from(now)
	params.Hosts, params.Tenants, params.States, params.Codes, params.ExternalIds = of.HostIDs, of.Tenants, of.States, of.Codes, of.ExternalIDs
	params.Broadcasters, params.Destinations, params.CallbackStates, params.Labels = of.Broadcasters, of.Destinations, of.CallbackStates, of.Labels
	params.CreatedFrom, params.CreatedTo, params.EndedFrom, params.EndedTo = of.CreatedFrom, of.CreatedTo, of.EndedFrom, of.EndedTo
	return nil
}

// filteredByTranscode has the id in flag checked before the command runs.
func filteredByTranscode(c *cobra.Command, flag *string, id **uuid.UUID) *cobra.Command {
	check := c.PreRunE
	c.PreRunE = func(c *cobra.Command, args []string) error {
		if *flag != "" {
			parsed, err := uuid.Parse(*flag)
			if err != nil {
				return errors.New("--transcode is no id, which is a UUID: see `weir-admin transcodes list`")
			}
			*id = &parsed
		}
		return check(c, args)
	}
	return c
}

func (a *admin) readTriggers(ctx context.Context, params *dbsqlc.MistEventListParams) ([]eventShown, error) {
	rows, err := dbsqlc.New().MistEventList(ctx, db.Replanned{On: a.pool}, *params)
	if err != nil {
		return nil, fmt.Errorf("list triggers: %w", err)
	}
	events := []eventShown{}
	for i := range rows {
		events = append(events, showTrigger(&rows[i]))
	}
	return events, nil
}

func showTrigger(e *dbsqlc.MistEvent) eventShown {
	return eventShown{
		ID: e.ID, UUID: e.UUID, ReceivedAt: e.ReceivedAt, Host: e.HostID, Trigger: e.Trigger, Stream: e.Stream,
		TranscodeID: e.TranscodeID, Attempt: e.Attempt, Rendition: e.Rendition, Verdict: e.Verdict, Note: e.Note,
		Headers: e.Headers, Payload: string(e.Payload), PayloadBytes: e.PayloadBytes,
	}
}

// oneNumber takes the one argument of a command, a trigger's number.
func oneNumber(id *int64) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) != 1 {
			return fmt.Errorf("%s takes one number", c.CommandPath())
		}
		parsed, err := strconv.ParseInt(args[0], 10, 64)
		if err != nil || parsed < 1 {
			return fmt.Errorf("%q is no trigger's number: see `weir-admin triggers list`", args[0])
		}
		*id = parsed
		return nil
	}
}

func (a *admin) triggersShow() *cobra.Command {
	var id int64
	return &cobra.Command{
		Use: "show NUMBER", Short: "Show a trigger as it came, and what was made of it", Args: oneNumber(&id),
		RunE: act(func(ctx context.Context, _ []string) error {
			if err := a.open(ctx); err != nil {
				return err
			}
			row, err := dbsqlc.New().MistEventGet(ctx, a.pool, id)
			if errors.Is(err, pgx.ErrNoRows) {
				return fmt.Errorf("show trigger %d: %w", id, replay.ErrNoEvent)
			}
			if err != nil {
				return fmt.Errorf("show trigger %d: %w", id, err)
			}
			shown := showTrigger(&row)
			return a.print(shown, func() error { return a.triggerForPeople(&shown) })
		}),
	}
}

func (a *admin) triggerForPeople(e *eventShown) error {
	if err := a.table("TRIGGER", [][]any{
		{"number", e.ID}, {"uuid", e.UUID}, {"received", e.ReceivedAt}, {"host", e.Host}, {"trigger", e.Trigger}, {"stream", e.Stream},
		{"transcode", pointed(e.TranscodeID)}, {"attempt", e.Attempt}, {"rendition", e.Rendition}, {"made of it", e.Verdict}, {"because", e.Note},
	}); err != nil {
		return err
	}
	var headers map[string]string
	if json.Unmarshal(e.Headers, &headers) == nil {
		var lines [][]any
		for _, name := range slices.Sorted(maps.Keys(headers)) {
			lines = append(lines, []any{name, headers[name]})
		}
		if err := say(a.out, ""); err != nil {
			return err
		}
		if err := a.table("HEADER VALUE", lines); err != nil {
			return err
		}
	}
	if err := say(a.out, "\nPAYLOAD, %d of %d bytes", len(e.Payload), e.PayloadBytes); err != nil {
		return err
	}
	for line := range strings.Lines(e.Payload) {
		if err := say(a.out, "  %s", printable(strings.TrimRight(line, "\r\n"))); err != nil {
			return err
		}
	}
	return nil
}

// replayed is the JSON of triggers replay.
type replayed struct {
	EventID int64  `json:"event_id"`
	HostID  string `json:"host_id"`
	DryRun  bool   `json:"dry_run"`
}

func (a *admin) triggersReplay() *cobra.Command {
	var id int64
	ch := &change{needs: true}
	return a.changing(&cobra.Command{
		Use: "replay NUMBER", Short: "Have a trigger handled again by its host, as if Mist had just posted it", Args: oneNumber(&id),
		RunE: act(func(ctx context.Context, _ []string) error {
			done := replayed{EventID: id, DryRun: ch.dry}
			if err := a.do(ctx, ch, "triggers replay", strconv.FormatInt(id, 10), nil, func(on *jobs.Transcodes, _ *jobs.Callbacks) error {
				event, err := replay.Ask(ctx, on.DB, on.River, id)
				done.HostID = event.HostID
				return err
			}); err != nil {
				return err
			}
			return a.print(done, func() error {
				return a.saying(ch.dry, "trigger %d is handled again by %s within seconds: `weir-admin triggers show %d` says what was made of it", id, done.HostID, id)
			})
		}),
	}, ch)
}

func eventLines(events []eventShown) (lines [][]any) {
	for i := range events {
		e := &events[i]
		transcode := ""
		if e.TranscodeID != nil {
			transcode = e.TranscodeID.String()
		}
		lines = append(lines, []any{e.ID, e.ReceivedAt, e.Host, e.Trigger, transcode, e.Attempt, e.Rendition, e.Verdict, e.PayloadBytes, e.Note})
	}
	return lines
}
