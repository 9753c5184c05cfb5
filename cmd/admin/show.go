package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"weir/api/view"
	"weir/db/dbsqlc"
	"weir/jobs"
)

// shownEvents is how many of the newest events show: several times those of a
// transcode with 10 renditions and three attempts.
const shownEvents = 500

// transcodeShown is the JSON of transcodes show.
type transcodeShown struct {
	view.Transcode

	CallbackURL      string            `json:"callback_url"`
	Request          json.RawMessage   `json:"request"`
	Attempts         []attemptShown    `json:"attempts"`
	CallbackAttempts []deliveryAttempt `json:"callback_attempts"`
	Events           []eventShown      `json:"events"`
}

// attemptShown is one try on one host.
type attemptShown struct {
	Number           int32      `json:"number"`
	Host             string     `json:"host"`
	Stage            string     `json:"stage"`
	Outcome          *string    `json:"outcome"`
	ErrorCode        *string    `json:"error_code"`
	ErrorStage       *string    `json:"error_stage"`
	ErrorMessage     *string    `json:"error_message"`
	ErrorDetail      *string    `json:"error_detail"`
	HungStarts       int32      `json:"hung_starts"`
	Reruns           int32      `json:"reruns"`
	Broadcaster      *string    `json:"broadcaster"`
	SourceBytes      *int64     `json:"source_bytes"`
	CreatedAt        time.Time  `json:"created_at"`
	StartedAt        *time.Time `json:"started_at"`
	FetchedAt        *time.Time `json:"fetched_at"`
	PreparedAt       *time.Time `json:"prepared_at"`
	ProcessStartedAt *time.Time `json:"process_started_at"`
	TranscodedAt     *time.Time `json:"transcoded_at"`
	PackageFrom      *time.Time `json:"package_from"`
	PublishFrom      *time.Time `json:"publish_from"`
	EndedAt          *time.Time `json:"ended_at"`
	CleanedAt        *time.Time `json:"cleaned_at"`
}

// deliveryAttempt is one post of the callback.
type deliveryAttempt struct {
	Number     int32     `json:"number"`
	SentAt     time.Time `json:"sent_at"`
	Status     *int32    `json:"status"`
	LatencyMS  int32     `json:"latency_ms"`
	Error      string    `json:"error"`
	Answer     string    `json:"answer"`
	Redelivery bool      `json:"redelivery"`
}

func (a *admin) transcodesShow() *cobra.Command {
	var id uuid.UUID
	return &cobra.Command{
		Use: "show ID", Short: "Show all that is known of a transcode", Args: oneID(&id),
		RunE: act(func(ctx context.Context, _ []string) error {
			transcodes, _, err := a.openJobs(ctx)
			if err != nil {
				return err
			}
			detail, err := transcodes.Get(ctx, "", id)
			if err != nil {
				return err
			}
			shown, err := a.show(ctx, &detail)
			if err != nil {
				return fmt.Errorf("show transcode %s: %w", id, err)
			}
			return a.print(shown, func() error { return a.showForPeople(shown) })
		}),
	}
}

// show reads what belongs to a transcode beyond its detail.
func (a *admin) show(ctx context.Context, d *jobs.Detail) (*transcodeShown, error) {
	q := dbsqlc.New()
	shown := &transcodeShown{
		Transcode: view.Of(d), CallbackURL: d.Transcode.CallbackURL, Request: d.Transcode.Request,
		Attempts: []attemptShown{}, CallbackAttempts: []deliveryAttempt{},
	}
	attempts, err := q.AttemptList(ctx, a.pool, d.Transcode.ID)
	if err != nil {
		return nil, err
	}
	for i := range attempts {
		t := &attempts[i]
		shown.Attempts = append(shown.Attempts, attemptShown{
			Number: t.Number, Host: t.HostID, Stage: t.Stage, Outcome: t.Outcome,
			HungStarts: t.HungStarts, Reruns: t.Reruns, Broadcaster: t.Broadcaster,
			ErrorCode: t.ErrorCode, ErrorStage: t.ErrorStage, ErrorMessage: t.ErrorMessage, ErrorDetail: t.ErrorDetail,
			SourceBytes: t.SourceBytes, CreatedAt: t.CreatedAt, StartedAt: t.StartedAt,
			FetchedAt: t.FetchedAt, PreparedAt: t.PreparedAt, ProcessStartedAt: t.ProcessStartedAt,
			TranscodedAt: t.TranscodedAt, PackageFrom: t.PackageFrom, PublishFrom: t.PublishFrom, EndedAt: t.EndedAt, CleanedAt: t.CleanedAt,
		})
	}
	if d.Callback != nil {
		deliveries, err := q.CallbackAttemptList(ctx, a.pool, d.Callback.ID)
		if err != nil {
			return nil, err
		}
		for _, t := range deliveries {
			shown.CallbackAttempts = append(shown.CallbackAttempts, showDeliveryAttempt(&t))
		}
	}
	shown.Events, err = a.readTriggers(ctx, &dbsqlc.MistEventListParams{TranscodeID: &d.Transcode.ID, PageSize: shownEvents})
	return shown, err
}

func showDeliveryAttempt(t *dbsqlc.CallbackAttempt) deliveryAttempt {
	return deliveryAttempt{
		Number: t.Number, SentAt: t.SentAt, Status: t.Status, LatencyMS: t.LatencyMs,
		Error: t.Error, Answer: t.Answer, Redelivery: t.Redelivery,
	}
}

func (a *admin) showForPeople(t *transcodeShown) error {
	facts := [][]any{
		{"id", t.ID}, {"tenant", t.Tenant}, {"external id", t.ExternalID}, {"state", t.State}, {"stage", t.Stage}, {"done", percent(t.Ratio)},
		{"host", t.Host}, {"run, attempt", fmt.Sprintf("%d, %d", t.Run, t.Attempt)},
		{"source", t.Source.Location}, {"output", t.Output.Location}, {"callback to", t.CallbackURL},
		{"accepted", t.CreatedAt}, {"placed", t.PlacedAt}, {"started", t.StartedAt}, {"finished", t.FinishedAt},
	}
	if s := t.Source; s.Width != nil && s.Height != nil {
		facts = append(facts, []any{"source is", fmt.Sprintf("%sx%s %s, %s frames, %s ms, audio %s",
			cell(int64(*s.Width)), cell(int64(*s.Height)), cell(s.VideoCodec), cell(s.Frames), cell(s.DurationMS), cell(s.AudioCodec))})
	}
	if f := t.Error; f != nil {
		facts = append(facts, []any{"error", f.Code + " at " + f.Stage + ": " + f.Message},
			[]any{"can be mended by", f.Blame}, []any{"retry may help", f.Retriable})
	}
	if c := t.Callback; c != nil {
		facts = append(facts, []any{"callback", fmt.Sprintf("%s, %d attempts, %s", c.State, c.Attempts, c.ID)})
	}
	if err := a.table("TRANSCODE", facts); err != nil {
		return err
	}
	for _, part := range []struct {
		heading string
		lines   [][]any
	}{
		{"RENDITION STATE DONE SIZE ASKED BITRATE FRAMES MS BYTES OBJECT ERROR", renditionLines(t.Renditions)},
		{"OUTPUT STATE BYTES PLACE PLAYS WHY", outputLines(t.Outputs)},
		{"WARNING RENDITION TEXT", warningLines(t.Warnings)},
		{"ATTEMPT HOST STEP OUTCOME HUNG RERUN PLACED STARTED FETCHED PREPARED PROCESS TRANSCODED ENDED CLEANED ERROR", attemptLines(t.Attempts)},
		{"ATTEMPT DETAIL", detailLines(t.Attempts)},
		{"DELIVERY SENT STATUS MS AGAIN ERROR", deliveryLines(t.CallbackAttempts)},
		{eventHeading, eventLines(t.Events)},
	} {
		if len(part.lines) == 0 {
			continue
		}
		if err := say(a.out, ""); err != nil {
			return err
		}
		if err := a.table(part.heading, part.lines); err != nil {
			return err
		}
	}
	return nil
}

func renditionLines(list []view.Rendition) (lines [][]any) {
	for i := range list {
		r := &list[i]
		why := ""
		if r.Error != nil {
			why = r.Error.Code + " at " + r.Error.Stage + ": " + r.Error.Message
		}
		lines = append(lines, []any{
			r.Name, r.State, percent(r.Ratio), size(r.Width, r.Height), fmt.Sprintf("%dx%d", r.AskedWidth, r.AskedHeight), r.Bitrate,
			r.Frames, r.DurationMS, r.Bytes, r.Location, why,
		})
	}
	return lines
}

func outputLines(list []view.MadeOutput) (lines [][]any) {
	for i := range list {
		o := &list[i]
		why := ""
		switch {
		case o.Error != nil:
			why = o.Error.Code + " at " + o.Error.Stage + ": " + o.Error.Message
		case o.Skipped != nil:
			why = *o.Skipped
		}
		lines = append(lines, []any{o.Type, o.State, o.Bytes, o.Location, o.Manifest, why})
	}
	return lines
}

// size is that of a file: nothing before it is planned.
func size(width, height *int32) string {
	if width == nil || height == nil {
		return ""
	}
	return fmt.Sprintf("%dx%d", *width, *height)
}

func warningLines(list []view.Warning) (lines [][]any) {
	for _, w := range list {
		lines = append(lines, []any{w.Code, w.Rendition, w.Text})
	}
	return lines
}

// clock leaves the date out of columns that stand beside one with it.
func clock(at *time.Time) string {
	if at == nil {
		return ""
	}
	return at.UTC().Format("15:04:05.000")
}

func attemptLines(list []attemptShown) (lines [][]any) {
	for i := range list {
		t := &list[i]
		why := ""
		if t.ErrorCode != nil {
			why = *t.ErrorCode + " at " + cell(t.ErrorStage) + ": " + cell(t.ErrorMessage)
		}
		lines = append(lines, []any{
			t.Number, t.Host, t.Stage, t.Outcome, t.HungStarts, t.Reruns, t.CreatedAt, clock(t.StartedAt), clock(t.FetchedAt), clock(t.PreparedAt),
			clock(t.ProcessStartedAt), clock(t.TranscodedAt), clock(t.EndedAt), clock(t.CleanedAt), why,
		})
	}
	return lines
}

// detailLines are what tenants are not told.
func detailLines(list []attemptShown) (lines [][]any) {
	for i := range list {
		if t := &list[i]; t.ErrorDetail != nil {
			lines = append(lines, []any{t.Number, strings.Join(strings.Fields(*t.ErrorDetail), " ")})
		}
	}
	return lines
}

func deliveryLines(list []deliveryAttempt) (lines [][]any) {
	for _, t := range list {
		lines = append(lines, []any{t.Number, t.SentAt, t.Status, t.LatencyMS, t.Redelivery, t.Error})
	}
	return lines
}
