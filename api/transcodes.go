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
	"weir/jobs/filter"
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
	Filter      string    `query:"filter" maxLength:"4000" doc:"The same and more in one text, as state:failed code:push_failed age<1d; a key of it is not given beside it. docs/api.md has its words." example:"state:failed age<1d"`
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
	filters, err := s.filters(ctx, in)
	if err != nil {
		return nil, err
	}
	for i := range filters {
		filters[i].Limit = in.Limit + 1 // one more than asked for tells whether there is a next page
	}
	details, err := s.cfg.Transcodes.ListAny(ctx, filters)
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

// filters are those of a list: what the filter's text means, narrowed by all else.
func (s *server) filters(ctx context.Context, in *listInput) ([]jobs.Filter, error) {
	who := callerOf(ctx)
	f, err := in.words(who)
	if err != nil {
		return nil, err
	}
	now := time.Time{}
	if f.Timed() {
		if now, err = s.cfg.Transcodes.Now(ctx); err != nil {
			return nil, s.problem(ctx, "list", err)
		}
	}
	lists, err := f.Lists(now)
	if err != nil {
		return nil, refuse([]error{refusal("query.filter", err.Error())})
	}
	for i := range lists {
		if err := in.narrow(&lists[i]); err != nil {
			return nil, err
		}
	}
	return lists, nil
}

// words are the filter's text, and what else says the same in a parameter of its own.
func (in *listInput) words(who caller) (filter.Filter, error) {
	f, err := filter.Parse(in.Filter)
	if err != nil {
		return f, refuse([]error{refusal("query.filter", err.Error())})
	}
	if len(f.Broadcasters) > 0 && who != anyTenant {
		return f, refuse([]error{refusal("query.filter", "broadcaster: is for operators")})
	}
	for _, named := range f.Tenants {
		if _, err := tenantAsked(who, named); err != nil {
			return f, err
		}
	}
	tenant, err := tenantAsked(who, in.Tenant)
	if err != nil {
		return f, err
	}
	if who != anyTenant {
		f.Tenants = nil // its own alone, which is set below
	}
	for _, same := range []struct {
		name, value string
		into        *[]string
	}{
		{"tenant", tenant, &f.Tenants}, {"state", in.State, &f.States}, {"external_id", in.ExternalID, &f.ExternalIDs}, {"host", in.Host, &f.Hosts},
	} {
		if same.value == "" {
			continue
		}
		if len(*same.into) > 0 {
			return f, refuse([]error{refusal("query.filter", "has "+same.name+": beside the parameter "+same.name+": send one of them")})
		}
		*same.into = []string{same.value}
	}
	return f, nil
}

// narrow adds what the filter's text has no words for.
func (in *listInput) narrow(f *jobs.Filter) error {
	var from, to *time.Time
	if !in.CreatedFrom.IsZero() {
		from = &in.CreatedFrom
	}
	if !in.CreatedTo.IsZero() {
		to = &in.CreatedTo
	}
	f.Between(from, to)
	labels, err := parseLabels(in.Label)
	if err != nil {
		return err
	}
	if f.Labels = append(f.Labels, labels...); len(labels) > 0 && f.Tenant == nil {
		return refuse([]error{refusal("query.label", "is a tenant's: name it in tenant")})
	}
	if in.Page != "" {
		before, err := parseCursor(in.Page)
		if err != nil {
			return refuse([]error{refusal("query.page", "is no next of a page before")})
		}
		f.BeforeAt, f.BeforeID = &before.at, &before.id
	}
	return nil
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
