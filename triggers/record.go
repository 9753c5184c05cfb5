package triggers

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"weir/db"
	"weir/db/dbsqlc"
	"weir/jobs"
	"weir/mist"
)

// arrival is an event on its way into the rows.
type arrival struct {
	posted event // as it was read
	event  event // as the rows have it
	// recorded: it was not there already.
	recorded bool
}

// record writes the event and its effect in one statement, with those that come at once. It is
// false, and nothing is written, for an event that is there already. e's verdict is then what
// the rows say.
func (l *Listener) record(ctx context.Context, e *event) (bool, error) {
	r := &arrival{posted: *e}
	if err := l.convoy.Do(ctx, r); err != nil {
		return false, err
	}
	*e = r.event
	return r.recorded, nil
}

// rows are renditions by their transcode, as they are on the way through several events.
type rows map[uuid.UUID][]dbsqlc.RenditionHintedRow

// hinted reads the rows that events may speak of.
func hinted(ctx context.Context, on dbsqlc.DBTX, events ...*event) (rows, error) {
	var of []uuid.UUID
	for _, e := range events {
		if e.matched() && !slices.Contains(of, e.name.Transcode) {
			of = append(of, e.name.Transcode)
		}
	}
	all := rows{}
	if len(of) == 0 {
		return all, nil
	}
	renditions, err := dbsqlc.New().RenditionHinted(ctx, on, of)
	if err != nil {
		return nil, fmt.Errorf("read renditions: %w", err)
	}
	for _, r := range renditions {
		all[r.TranscodeID] = append(all[r.TranscodeID], r)
	}
	return all, nil
}

// together records all, or none: [convoy.Convoy]. It may be called again with the same. One
// takes a statement that reads and one that writes; so do several, of which none waits for a row
// for long.
func (l *Listener) together(ctx context.Context, all []*arrival) (err error) {
	var late []overtaken
	if len(all) == 1 {
		err = db.Again(func() (err error) {
			late, err = l.write(ctx, l.cfg.DB, all)
			return err
		})
	} else {
		late, err = l.write(ctx, db.Impatient(l.cfg.DB), all)
	}
	if err != nil {
		return err
	}
	for _, o := range late {
		l.mend(ctx, o)
	}
	return nil
}

// overtaken is an event that was written as if it changed something, in a row with this id.
type overtaken struct {
	*arrival
	id int64
}

// write writes all in one statement on a connection, by rows that it reads before.
func (l *Listener) write(ctx context.Context, on dbsqlc.DBTX, all []*arrival) (late []overtaken, err error) {
	events := make([]*event, len(all))
	for i, r := range all {
		r.event, r.recorded = r.posted, false
		events[i] = &r.event
	}
	seen, err := hinted(ctx, l.cfg.DB, events...)
	if err != nil {
		return nil, err
	}
	params := insertion{HostID: l.cfg.HostID}
	effects := make([][]effect, len(all))
	for i, e := range events {
		if e.matched() {
			effects[i] = e.take(seen)
		}
		params.add(e)
		for j := range effects[i] {
			params.addEffect(&effects[i][j])
		}
	}
	inserted, err := dbsqlc.New().MistEventInsert(ctx, on, dbsqlc.MistEventInsertParams(params))
	if err != nil {
		return nil, err
	}
	for _, row := range inserted {
		i := row.N - 1 // Postgres counts from 1
		all[i].recorded = true
		changed := slices.ContainsFunc(effects[i], func(e effect) bool { return slices.Contains(row.Changed, e.rendition) })
		if len(effects[i]) > 0 && !changed {
			late = append(late, overtaken{all[i], row.ID})
		}
	}
	return late, nil
}

// mend finds why an event changed no row though the rows that were read said that it would:
// they were changed meanwhile. Its verdict is put right, which nothing hangs on.
func (l *Listener) mend(ctx context.Context, o overtaken) {
	fresh := o.posted
	seen, err := hinted(ctx, l.cfg.DB, &fresh)
	if err == nil {
		fresh.judge(seen[fresh.name.Transcode])
		err = dbsqlc.New().MistEventSetVerdict(ctx, l.cfg.DB, dbsqlc.MistEventSetVerdictParams{ID: o.id, Verdict: fresh.row.Verdict, Note: fresh.row.Note})
	}
	if err != nil {
		l.cfg.Logger.InfoContext(ctx, "an overtaken trigger stays as applied", "event", o.id, "error", err)
		return
	}
	o.event = fresh
}

// effect is what a saying changes of a rendition.
type effect struct {
	rendition string
	ordinal   int32
	saying
}

// take is what an event changes in the rows, which it is then in; where that is nothing, its
// verdict says why.
func (e *event) take(seen rows) []effect {
	var effects []effect
	renditions := seen[e.name.Transcode]
	for _, says := range e.says {
		for i := range renditions {
			r := &renditions[i]
			if r.Attempt != *e.row.Attempt || !says.changes(r, e.row.Rendition) {
				continue
			}
			if says.track != nil {
				index := int32(says.track.Index)
				r.TrackIndex = &index
			}
			effects = append(effects, effect{r.Name, r.Ordinal, says})
		}
	}
	if len(effects) == 0 {
		e.judge(renditions)
	}
	return effects
}

// changes says whether it changes a rendition of its attempt; named is that of its file.
func (s *saying) changes(r *dbsqlc.RenditionHintedRow, named *string) bool {
	if s.track != nil {
		return r.State == jobs.RenditionExpected && r.TrackIndex == nil && int(r.Ordinal) == mist.OrdinalOfTrack(s.track.TrackID)
	}
	return named != nil && r.Name == *named && open(r)
}

// open: the rendition's push is still to come, or goes on.
func open(r *dbsqlc.RenditionHintedRow) bool {
	return r.State == jobs.RenditionExpected || r.State == jobs.RenditionPushing
}

// judge decides about an event that changes no row.
func (e *event) judge(renditions []dbsqlc.RenditionHintedRow) {
	verdict, reason := e.verdict(renditions)
	if verdict != e.row.Verdict {
		e.decide(verdict, reason)
	}
}

func (e *event) verdict(renditions []dbsqlc.RenditionHintedRow) (verdict, reason string) {
	if len(renditions) == 0 {
		return verdictUnmatched, "no such transcode"
	}
	newest, named := int32(0), (*dbsqlc.RenditionHintedRow)(nil)
	for i, r := range renditions {
		newest = max(newest, r.Attempt) // those that were ok before keep an older one
		if e.row.Rendition != nil && r.Name == *e.row.Rendition {
			named = &renditions[i]
		}
	}
	switch {
	case *e.row.Attempt != newest:
		return verdictStale, fmt.Sprintf("of attempt %d, the newest is %d", *e.row.Attempt, newest)
	case e.row.Rendition == nil:
		return verdictNoted, "nothing new"
	case named == nil:
		return verdictUnmatched, "no such rendition"
	case len(e.says) == 0 && open(named):
		return verdictNoted, ""
	}
	return verdictStale, fmt.Sprintf("rendition %s is %s already", named.Name, named.State)
}

// insertion is events, and their effects, as their statement takes them.
type insertion dbsqlc.MistEventInsertParams

func (in *insertion) add(e *event) {
	in.Uuids, in.Triggers, in.Streams = append(in.Uuids, or(e.row.UUID, "")), append(in.Triggers, e.row.Trigger), append(in.Streams, e.row.Stream)
	in.Headers, in.Payloads = append(in.Headers, string(e.row.Headers)), append(in.Payloads, e.row.Payload)
	in.PayloadBytes, in.Transcodes = append(in.PayloadBytes, e.row.PayloadBytes), append(in.Transcodes, or(e.row.TranscodeID, uuid.Nil))
	in.Attempts, in.Renditions = append(in.Attempts, or(e.row.Attempt, 0)), append(in.Renditions, or(e.row.Rendition, ""))
	in.Verdicts, in.Notes = append(in.Verdicts, e.row.Verdict), append(in.Notes, e.row.Note)
}

// nothing stands where an effect says nothing of the kind.
const nothing = -1

// addEffect adds one of the event that was added last.
func (in *insertion) addEffect(e *effect) {
	track, bytes, reason, ms := int32(nothing), int64(nothing), "", int64(0)
	if e.track != nil {
		track = int32(e.track.Index)
	}
	if e.file != nil {
		bytes, reason, ms = e.file.bytes, e.file.reason, e.file.mediaMS
	}
	in.Of, in.Names, in.TrackIndexes = append(in.Of, int32(len(in.Uuids))), append(in.Names, e.rendition), append(in.TrackIndexes, track)
	in.RecordedBytes, in.RecordedReasons, in.PushedMs = append(in.RecordedBytes, bytes), append(in.RecordedReasons, reason), append(in.PushedMs, ms)
}

// or is what is there, or else.
func or[T any](is *T, els T) T {
	if is == nil {
		return els
	}
	return *is
}
