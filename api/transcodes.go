package api

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"weir/api/view"
	"weir/jobs"
)

type getInput struct {
	ID string `path:"id" doc:"The transcode's id." example:"0199c0de-0000-7000-8000-000000000000"`
}

type transcodeOutput struct{ Body view.Transcode }

func (s *server) get(ctx context.Context, in *getInput) (*transcodeOutput, error) {
	id, err := parseID(in.ID)
	if err != nil {
		return nil, err
	}
	detail, err := s.cfg.Transcodes.Get(ctx, callerOf(ctx).scope(), id)
	if err != nil {
		return nil, s.problem(ctx, "get", err)
	}
	return &transcodeOutput{Body: view.Of(&detail)}, nil
}

func (s *server) cancel(ctx context.Context, in *getInput) (*transcodeOutput, error) {
	id, err := parseID(in.ID)
	if err != nil {
		return nil, err
	}
	detail, err := s.cfg.Transcodes.Cancel(ctx, callerOf(ctx).scope(), id)
	if err != nil {
		return nil, s.problem(ctx, "cancel", err)
	}
	return &transcodeOutput{Body: view.Of(&detail)}, nil
}

type retryInput struct {
	ID string `path:"id" doc:"The transcode's id." example:"0199c0de-0000-7000-8000-000000000000"`

	Run int32 `query:"run" minimum:"1" doc:"The run that failed. Where it was retried since, nothing changes: so a retry can be asked for again." example:"1"`
}

func (s *server) retry(ctx context.Context, in *retryInput) (*transcodeOutput, error) {
	id, err := parseID(in.ID)
	if err != nil {
		return nil, err
	}
	detail, err := s.cfg.Transcodes.RetryRun(ctx, callerOf(ctx).scope(), id, in.Run)
	if err != nil {
		return nil, s.problem(ctx, "retry", err)
	}
	return &transcodeOutput{Body: view.Of(&detail)}, nil
}

func (s *server) redeliver(ctx context.Context, in *getInput) (*transcodeOutput, error) {
	id, err := parseID(in.ID)
	if err != nil {
		return nil, err
	}
	scope := callerOf(ctx).scope()
	callbacks := jobs.Callbacks{DB: s.cfg.Transcodes.DB, River: s.cfg.Transcodes.River}
	if err := callbacks.RedeliverOf(ctx, scope, id); err != nil {
		return nil, s.problem(ctx, "redeliver", err)
	}
	detail, err := s.cfg.Transcodes.Get(ctx, scope, id)
	if err != nil {
		return nil, s.problem(ctx, "redeliver", err)
	}
	return &transcodeOutput{Body: view.Of(&detail)}, nil
}

type listInput struct {
	Tenant      string    `query:"tenant" maxLength:"64" pattern:"^[a-zA-Z0-9_.-]*$" patternDescription:"a tenant's name" doc:"The caller's own; an operator may name any."`
	State       string    `query:"state" enum:"queued,placed,running,storing,succeeded,failed,cancelled"`
	ExternalID  string    `query:"external_id" maxLength:"200" pattern:"^\\P{Cc}*$" patternDescription:"no control characters" doc:"The caller's own id of a transcode."`
	Host        string    `query:"host" maxLength:"64" pattern:"^[a-z0-9-]*$" patternDescription:"a host's id" doc:"The host of the newest attempt."`
	Label       []string  `query:"label,explode" doc:"Only those with this label, as KEY:VALUE; given several times, with all of them. An operator names a tenant with it."`
	CreatedFrom time.Time `query:"created_from" doc:"Accepted at this time or later."`
	CreatedTo   time.Time `query:"created_to" doc:"Accepted before this time."`
	Limit       int32     `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"Transcodes in a page."`
	Page        string    `query:"page" maxLength:"100" doc:"The next of the page before; send the same filters with it."`
}

type listOutput struct{ Body TranscodePage }

// TranscodePage is a page of a list.
type TranscodePage struct {
	Items []view.Transcode `json:"items" nullable:"false"`
	Next  string           `json:"next,omitempty" doc:"Send it as page for the next one; not there on the last page."`
}

func (s *server) list(ctx context.Context, in *listInput) (*listOutput, error) {
	filter, err := in.filter(callerOf(ctx))
	if err != nil {
		return nil, err
	}
	// One more than asked for tells whether there is a next page.
	filter.Limit = in.Limit + 1
	details, err := s.cfg.Transcodes.List(ctx, filter)
	if err != nil {
		return nil, s.problem(ctx, "list", err)
	}
	out := &listOutput{Body: TranscodePage{Items: []view.Transcode{}}}
	if len(details) > int(in.Limit) {
		details = details[:in.Limit]
		last := details[len(details)-1].Transcode
		out.Body.Next = cursor{at: last.CreatedAt, id: last.ID}.String()
	}
	for i := range details {
		out.Body.Items = append(out.Body.Items, view.Of(&details[i]))
	}
	return out, nil
}

func (in *listInput) filter(who caller) (jobs.Filter, error) {
	var f jobs.Filter
	tenant, err := tenantAsked(who, in.Tenant)
	if err != nil {
		return f, err
	}
	if tenant != "" {
		f.Tenant = &tenant
	}
	if in.State != "" {
		f.State = &in.State
	}
	if in.ExternalID != "" {
		f.ExternalID = &in.ExternalID
	}
	if in.Host != "" {
		f.HostID = &in.Host
	}
	if !in.CreatedFrom.IsZero() {
		f.CreatedFrom = &in.CreatedFrom
	}
	if !in.CreatedTo.IsZero() {
		f.CreatedTo = &in.CreatedTo
	}
	labels, err := parseLabels(in.Label)
	if err != nil {
		return f, err
	}
	if f.Labels = labels; len(labels) > 0 && f.Tenant == nil {
		return f, refuse([]error{refusal("query.label", "is a tenant's: name it in tenant")})
	}
	if in.Page != "" {
		before, err := parseCursor(in.Page)
		if err != nil {
			return f, refuse([]error{refusal("query.page", "is no next of a page before")})
		}
		f.BeforeAt, f.BeforeID = &before.at, &before.id
	}
	return f, nil
}

// tenantAsked is whose a caller asks for; "" is everybody's, which an operator may.
func tenantAsked(who caller, asked string) (string, error) {
	switch {
	case who == anyTenant:
		return asked, nil
	case asked != "" && asked != string(who):
		return "", huma.Error403Forbidden("the token is another tenant's",
			refusal("query.tenant", fmt.Sprintf("must be %s with this token, or left out", who)))
	}
	return string(who), nil
}

// cursor is the last line of a page. Callers see it as one opaque word.
type cursor struct {
	at time.Time
	id uuid.UUID
}

// cursorBytes are the microseconds, which is what Postgres keeps, and the id.
const cursorBytes = 8 + 16

// String is the word for callers.
func (c cursor) String() string {
	raw := binary.BigEndian.AppendUint64(nil, uint64(c.at.UnixMicro()))
	return base64.RawURLEncoding.EncodeToString(append(raw, c.id[:]...))
}

func parseCursor(word string) (cursor, error) {
	raw, err := base64.RawURLEncoding.DecodeString(word)
	if err != nil || len(raw) != cursorBytes {
		return cursor{}, errors.New("no cursor")
	}
	at := int64(binary.BigEndian.Uint64(raw))
	return cursor{at: time.UnixMicro(at).UTC(), id: uuid.UUID(raw[8:])}, nil
}
