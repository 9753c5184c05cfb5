package host

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"weir/db/dbsqlc"
	"weir/engine"
	"weir/jobs"
	"weir/media"
)

// observe adds what a look says of the attempt, its process and its files.
func (s *supervisor) observe(ctx context.Context, rows *jobs.Rows, l *look) error {
	if s.process == nil && rows.Attempt.Process != nil {
		process, err := s.host.Engine.Attach(*rows.Attempt.Process)
		if err != nil {
			return fmt.Errorf("attach: %w", err)
		}
		s.process = process
		s.log.InfoContext(ctx, "process attached", "pid", s.process.ID(), "alive", s.process.Alive())
	}
	if s.startSeen.IsZero() {
		s.startSeen = time.Now()
	}
	now := s.host.clock.now()
	if l.silent != nil {
		if s.seen.SilentFrom.IsZero() {
			s.log.WarnContext(ctx, "Mist is silent", "error", l.silent)
			s.seen.SilentFrom = now
		}
		return nil
	}
	seen := jobs.Seen{At: now, ProcessAlive: s.process.Alive(), EndedAt: s.seen.EndedAt, ProgressAt: s.seen.ProgressAt,
		StopFrom: s.seen.StopFrom, ProcessText: s.seen.ProcessText, Killed: s.seen.Killed,
		Pushing: map[string]bool{}, Gone: map[string]time.Time{}, FileBytes: map[string]int64{}, Whole: map[string]bool{}}
	if err := s.readLog(&seen, l.runs.Processes[s.process.ID()]); err != nil {
		return err
	}
	pushedMS := map[string]int64{}
	for _, push := range l.runs.Pushes {
		if push.Name == s.name {
			seen.Pushing[push.Rendition] = true
			// A push reports every five seconds; between, it keeps up with what comes back.
			pushedMS[push.Rendition] = max(push.MediaMS, l.runs.NewestMS[s.name])
		}
	}
	if err := s.observeFiles(ctx, rows, &seen); err != nil {
		return err
	}
	if !seen.ProcessAlive && seen.EndedAt.IsZero() {
		seen.EndedAt = now
		seen.ProcessText = s.processText(ctx)
		if end, err := s.process.End(ctx); err == nil {
			seen.Killed = end.Killed
		}
	}
	if seen.ProgressAt.IsZero() || seen.ProcessAlive != s.seen.ProcessAlive || seen.MediaMS != s.seen.MediaMS ||
		!maps.Equal(seen.FileBytes, s.seen.FileBytes) || !maps.Equal(seen.Pushing, s.seen.Pushing) {
		seen.ProgressAt = now
	}
	s.seen = seen
	if err := s.host.Engine.TrimLog(s.host.folder(s.name)); err != nil {
		s.log.WarnContext(ctx, "log not trimmed", "error", err)
	}
	if err := s.recordBroadcaster(ctx, rows, &l.runs); err != nil {
		return err
	}
	if err := s.findTracks(ctx, rows); err != nil {
		return err
	}
	return s.noteProgress(rows, pushedMS)
}

// follow has a push followed, unless it is already.
func (s *supervisor) follow(ctx context.Context, rows *jobs.Rows, r *dbsqlc.Rendition, prepared *media.Prepared) error {
	path := s.host.pushedPath(s.name, r.Name)
	if s.host.follows.has(path) { // as at each look but the first
		return nil
	}
	source, err := sourceOf(&rows.Transcode)
	if err != nil {
		return err
	}
	s.host.follows.begin(ctx, s.host.Media, media.Pushed{
		Path: path, From: s.host.sourcePath(s.name), Source: source, Prepared: *prepared, FPS: frameRate(r),
	}, s.host.finishedPath(s.name, r.Name))
	return nil
}

// observeFiles looks at what the pushes have written.
func (s *supervisor) observeFiles(ctx context.Context, rows *jobs.Rows, seen *jobs.Seen) error {
	prepared, err := preparedOf(&rows.Attempt)
	if err != nil {
		return err
	}
	for _, r := range rows.Renditions {
		path := s.host.pushedPath(s.name, r.Name)
		if bytes := fileBytes(path); bytes > 0 {
			seen.FileBytes[r.Name] = bytes
			if r.State == jobs.RenditionPushing {
				if err := s.follow(ctx, rows, &r, &prepared); err != nil {
					return err
				}
				// Asked only where it is said to be over, as the file is read for it.
				seen.Whole[r.Name] = r.RecordedBytes != nil && *r.RecordedBytes == bytes && media.EndsAt(path, &prepared)
			}
		}
		if r.State == jobs.RenditionPushing && !seen.Pushing[r.Name] {
			seen.Gone[r.Name] = seen.At
			if since, known := s.seen.Gone[r.Name]; known {
				seen.Gone[r.Name] = since
			}
		}
	}
	return nil
}

// readLog adds what the process's log and its own report say of how it goes. What it
// said once holds: a report comes every five seconds, and none any more at the end.
func (s *supervisor) readLog(seen *jobs.Seen, report engine.Report) error {
	log, err := s.host.Engine.Log(s.host.folder(s.name))
	if err != nil {
		return fmt.Errorf("observe: %w", err)
	}
	was := s.seen
	seen.MediaMS = max(was.MediaMS, report.SentMS+report.ReceivedMS)
	seen.Posted = was.Posted || log.Posted || report.ReceivedMS > 0
	seen.Hung, seen.Reading = was.Hung || log.Hung, was.Reading || log.Reading || report.SentMS > 0
	seen.GaveUp, seen.Full, seen.Rejected = log.GaveUp, log.Full, log.Rejected
	if report.Broadcaster != "" && seen.MediaMS != was.MediaMS {
		s.host.meter().Behind(report.Broadcaster, time.Duration(max(report.SentMS-report.ReceivedMS, 0))*time.Millisecond)
	}
	if seen.Full && !was.Full {
		s.host.meter().Refused(report.Broadcaster, "full")
	}
	if seen.Rejected != "" && was.Rejected == "" {
		s.host.meter().Refused(report.Broadcaster, "segment")
	}
	return nil
}

// recordBroadcaster writes down which Broadcaster the process speaks to; it says so
// every five seconds.
func (s *supervisor) recordBroadcaster(ctx context.Context, rows *jobs.Rows, look *engine.Look) error {
	broadcaster := look.Processes[s.process.ID()].Broadcaster
	if broadcaster == "" || rows.Attempt.Broadcaster != nil && *rows.Attempt.Broadcaster == broadcaster ||
		!slices.Contains(s.host.Broadcasters, broadcaster) {
		return nil
	}
	if err := dbsqlc.New().AttemptSetBroadcaster(ctx, s.host.DB, dbsqlc.AttemptSetBroadcasterParams{
		TranscodeID: s.name.Transcode, Number: s.number(), BootID: &s.host.BootID, Broadcaster: &broadcaster,
	}); err != nil {
		return fmt.Errorf("record the Broadcaster: %w", err)
	}
	return nil
}

// findTracks makes good for a LIVE_TRACK_LIST that does not come: the process's log
// says which tracks there are.
func (s *supervisor) findTracks(ctx context.Context, rows *jobs.Rows) error {
	s.trackless = nil
	for _, r := range rows.Renditions {
		if r.State == jobs.RenditionExpected && r.TrackIndex == nil {
			s.trackless = append(s.trackless, r.Ordinal)
		}
	}
	for _, track := range s.newTracks() {
		index := int32(track.Index)
		changed, err := dbsqlc.New().RenditionSetTrack(ctx, s.host.DB, dbsqlc.RenditionSetTrackParams{
			TranscodeID: s.name.Transcode, Attempt: s.number(), Ordinal: track.Ordinal, TrackIndex: &index,
		})
		if err != nil {
			return fmt.Errorf("record track %d: %w", track.Index, err)
		}
		if changed > 0 {
			s.host.meter().Missed("LIVE_TRACK_LIST")
			s.host.Wakes.Wake(s.name.Transcode) // this look has it not yet
			s.log.WarnContext(ctx, "track found without its trigger", "track", track.Index, "ordinal", track.Ordinal)
		}
	}
	return nil
}

// newTracks are those of the log that no rendition knows of, once they have been
// there for so long that no trigger is on its way.
func (s *supervisor) newTracks() []engine.Track {
	if len(s.trackless) == 0 {
		return nil
	}
	found, err := s.host.Engine.Tracks(s.host.folder(s.name))
	found = slices.DeleteFunc(found, func(t engine.Track) bool {
		return !slices.Contains(s.trackless, t.Ordinal)
	})
	if err != nil || len(found) == 0 {
		s.tracksFrom = time.Time{}
		return nil
	}
	if s.tracksFrom.IsZero() {
		s.tracksFrom = time.Now()
	}
	if time.Since(s.tracksFrom) < jobs.TrackPatience {
		return nil
	}
	return found
}

// processText is how the process ended and its last words.
func (s *supervisor) processText(ctx context.Context) string {
	text := "the process runs"
	if s.process == nil {
		return "no process"
	}
	if s.process.Alive() {
		// Waiting for its end would take as long.
	} else if end, err := s.process.End(ctx); err == nil {
		text = end.Text
	}
	log, err := s.host.Engine.LastWords(s.host.folder(s.name), logShown)
	if err == nil && strings.TrimSpace(log) != "" {
		text += "; its log ends: " + strings.TrimSpace(log)
	}
	return text
}

// noteProgress notes how much of the source was pushed, to be told with that of all the
// others; pushedMS is on Mist's clock.
func (s *supervisor) noteProgress(rows *jobs.Rows, pushedMS map[string]int64) error {
	prepared, err := preparedOf(&rows.Attempt)
	if err != nil {
		return err
	}
	for i := range rows.Renditions {
		r := &rows.Renditions[i]
		pushed := prepared.TrueMS(pushedMS[r.Name])
		if r.State != jobs.RenditionPushing || pushed <= r.PushedMs {
			continue
		}
		r.PushedMs = pushed
		s.host.progress.push(s.name, r.Name, pushed, s.host.clock.now())
	}
	if rows.Transcode.SourceDurationMs == nil {
		return nil
	}
	is := transcoded(*rows.Transcode.SourceDurationMs, rows.Renditions)
	s.host.progress.note(s.name, jobs.RatioOf(&rows.Transcode, rows.Attempt.Stage, rows.Renditions, nil), is, mediaOf(&rows.Transcode), s.host.clock.now())
	return nil
}
