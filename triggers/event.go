package triggers

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/google/uuid"

	"weir/engine"
	"weir/jobs/doctor"
	"weir/mist"
)

// What was made of an event.
const (
	// verdictApplied: it changed a row.
	verdictApplied = "applied"
	// verdictNoted: it is of a running attempt and changes nothing by itself.
	verdictNoted = "noted"
	// verdictStale: it speaks of an older attempt, or of what is past.
	verdictStale = "stale"
	// verdictUnmatched: it is of nothing that we know.
	verdictUnmatched = "unmatched"
	// verdictUnreadable: it does not follow the trigger's grammar.
	verdictUnreadable = "unreadable"
)

const (
	// maxStream is beyond Mist's own limit of 100 for a stream's name.
	maxStream = 200
	// maxNote is some lines for people.
	maxNote = 500
)

// hint is what a trigger's payload says.
type hint struct {
	// stream is as Mist names it.
	stream string
	// target is the file of a push; "" when the trigger is of a whole stream.
	target string
	// note is for people.
	note string
	// stored is what may be kept of the payload when it holds secrets; nil: its head.
	stored []byte
	// says is what rows of the attempt may be changed by; nil: there is nothing to change.
	says []saying
}

// saying is what a hint says of one rendition: which of Mist's tracks it is, or what its file
// came to.
type saying struct {
	track *mist.Track
	file  *recordingEnd
}

// parse reads a payload by the trigger's grammar. With an error the hint still
// holds what could be read. known is false for triggers that Weir asks nobody for.
func parse(trigger string, payload []byte) (h hint, known bool, err error) {
	switch mist.TriggerName(trigger) {
	case mist.TriggerLiveTrackList:
		h, err = liveTrackListHint(payload)
	case mist.TriggerPushEnd:
		h, err = pushEndHint(payload)
	case mist.TriggerRecordingEnd:
		h, err = recordingEndHint(payload)
	case mist.TriggerInputAbort:
		h, err = inputAbortHint(payload)
	case mist.TriggerSegmentRejected:
		h, err = segmentRejectedHint(payload)
	default:
		return hint{}, false, nil
	}
	return h, true, err
}

// event is a post with what it means.
type event struct {
	row  row
	name mist.Name
	says []saying
}

// row is what is recorded of it.
type row struct {
	UUID         *string
	HostID       string
	Trigger      string
	Stream       string
	Headers      json.RawMessage
	Payload      []byte
	PayloadBytes int64
	TranscodeID  *uuid.UUID
	Attempt      *int32
	Rendition    *string
	Verdict      string
	Note         string
}

// repeats: all that it says is in the rows already, as Mist tells of a stream's tracks whenever
// one of them moves. There is nothing to look at.
func (e *event) repeats() bool { return len(e.says) > 0 && e.row.Verdict == verdictNoted }

// matched: it is of a transcode, as far as we know.
func (e *event) matched() bool {
	return e.row.TranscodeID != nil && (e.row.Verdict == verdictApplied || e.row.Verdict == verdictNoted)
}

// read makes an event of a post: everything but what only the rows know.
func (l *Listener) read(p *post) event {
	if p.trigger == doctor.ProbeTrigger {
		return l.readProbe(p)
	}
	h, known, err := parse(p.trigger, p.payload)
	payload := h.stored
	if payload == nil {
		payload = scrub(p.payload, p.truncated())
	}
	payload = payload[:min(len(payload), storedBytes)] // scrubbed before: no password is cut
	e := event{row: row{
		UUID: p.uuid, HostID: l.cfg.HostID, Trigger: p.trigger, Headers: p.headers,
		Stream: clean(h.stream, maxStream), Payload: payload, PayloadBytes: p.size, Note: clean(h.note, maxNote),
	}}
	name, nameErr := mist.ParseName(h.stream)
	ours := nameErr == nil && (h.stream == name.Source() || h.stream == name.Rendition())
	if ours {
		attempt := int32(name.Attempt) // ParseName lets no more through
		e.name, e.row.TranscodeID, e.row.Attempt = name, &name.Transcode, &attempt
	}
	switch {
	case !known:
		e.decide(verdictUnmatched, "not a trigger that Weir asks for")
	case err != nil && p.truncated():
		e.decide(verdictUnreadable, fmt.Sprintf("%v (only the first of %d bytes were read)", err, p.size))
	case err != nil:
		e.decide(verdictUnreadable, err.Error())
	case !ours:
		e.decide(verdictUnmatched, "not a stream of a transcode")
	case h.target != "":
		rendition, ok := l.rendition(name, h.target)
		if !ok {
			e.decide(verdictUnmatched, "not a file of this attempt")
			break
		}
		e.row.Rendition = &rendition
		e.hold(h.says)
	case h.stream == name.Source():
		e.hold(nil) // its tracks are not renditions
	default:
		e.hold(h.says)
	}
	return e
}

// hold takes an event for the attempt's, until the rows say otherwise.
func (e *event) hold(says []saying) {
	e.says, e.row.Verdict = says, verdictNoted
	if len(says) > 0 {
		e.row.Verdict = verdictApplied
	}
}

// decide sets the verdict and puts the reason before the note.
func (e *event) decide(verdict, reason string) {
	if e.row.Note != "" {
		reason += ". " + e.row.Note
	}
	e.row.Verdict, e.row.Note = verdict, clean(reason, maxNote)
}

// rendition is the name in <spool>/<name>/<rendition>.ts?parameters, which pushes
// are given; RECORDING_END leaves the parameters out.
func (l *Listener) rendition(name mist.Name, target string) (string, bool) {
	target, _, _ = strings.Cut(target, "?")
	file, inFolder := strings.CutPrefix(target, filepath.Join(l.cfg.Spool, name.String())+"/")
	rendition, is := engine.RenditionOf(file)
	if !inFolder || !is || rendition != clean(rendition, maxName) || strings.Contains(file, "/") {
		return "", false
	}
	return rendition, true
}

var errNoLines = errors.New("the payload has too few lines")

// lines splits a payload at line ends of either kind; the end of the last line is
// no line. It is an error to have fewer than least, or an empty first one; what
// there is is returned all the same.
func lines(payload []byte, least int) ([]string, error) {
	text := strings.TrimSuffix(strings.ReplaceAll(string(payload), "\r\n", "\n"), "\n")
	all := strings.Split(text, "\n")
	if len(all) < least || all[0] == "" {
		return all, fmt.Errorf("%w: %d of %d", errNoLines, len(all), least)
	}
	return all, nil
}

// line is the i-th of all, or "".
func line(all []string, i int) string {
	if i < len(all) {
		return all[i]
	}
	return ""
}
