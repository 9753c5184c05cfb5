package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"weir/db"
	"weir/db/dbsqlc"
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
	return group("triggers", "What Mist told, and what was made of it", a.triggersList())
}

// verdicts are what may be made of a trigger.
func verdicts() []string { return []string{"applied", "noted", "stale", "unmatched", "unreadable"} }

// triggerKinds are those that Mist is asked for.
func triggerKinds() []string {
	return []string{"LIVE_TRACK_LIST", "PUSH_END", "RECORDING_END", "INPUT_ABORT", "LIVEPEER_SEGMENT_REJECTED"}
}

func (a *admin) triggersList() *cobra.Command {
	var transcode, trigger, verdict string
	var params dbsqlc.MistEventListParams
	c := limited(&cobra.Command{
		Use: "list", Short: "List triggers as they came, newest first",
		RunE: act(func(ctx context.Context, _ []string) error {
			if err := a.open(ctx); err != nil {
				return err
			}
			params.Trigger, params.Verdict = given(trigger), given(verdict)
			events, err := a.events(ctx, &params)
			if err != nil {
				return err
			}
			return a.print(eventList{events}, func() error { return a.table(eventHeading, eventLines(events)) })
		}),
	}, &params.PageSize)
	c.Flags().StringVar(&transcode, "transcode", "", "only this transcode's, by its id")
	c.Flags().StringVar(&trigger, "trigger", "", "only of this kind: "+strings.Join(triggerKinds(), ", "))
	c.Flags().StringVar(&verdict, "verdict", "", "only with this verdict: "+strings.Join(verdicts(), ", "))
	checked(c, func() error {
		if err := known("trigger", trigger, triggerKinds()); err != nil {
			return err
		}
		return known("verdict", verdict, verdicts())
	})
	return filteredByTranscode(c, &transcode, &params.TranscodeID)
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

func (a *admin) events(ctx context.Context, params *dbsqlc.MistEventListParams) ([]eventShown, error) {
	rows, err := dbsqlc.New().MistEventList(ctx, db.Replanned{On: a.pool}, *params)
	if err != nil {
		return nil, fmt.Errorf("list triggers: %w", err)
	}
	events := []eventShown{}
	for i := range rows {
		e := &rows[i]
		events = append(events, eventShown{
			ID: e.ID, UUID: e.UUID, ReceivedAt: e.ReceivedAt, Host: e.HostID, Trigger: e.Trigger, Stream: e.Stream,
			TranscodeID: e.TranscodeID, Attempt: e.Attempt, Rendition: e.Rendition, Verdict: e.Verdict, Note: e.Note,
			Headers: e.Headers, Payload: string(e.Payload), PayloadBytes: e.PayloadBytes,
		})
	}
	return events, nil
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
