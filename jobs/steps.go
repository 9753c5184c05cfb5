package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"weir/db"
	"weir/db/dbsqlc"
	"weir/mist"
	"weir/storage"
)

// The places within an attempt's folder. Pushes lie at its top, each under its
// rendition's name, so nothing else may end in .ts there.
const (
	inFolder   = "in"
	outFolder  = "out"
	sourceFile = "source"
	pushedExt  = ".ts"
)

func (h *Host) sourcePath(name mist.Name) string {
	return filepath.Join(h.folder(name), inFolder, sourceFile)
}

func (h *Host) pushedPath(name mist.Name, rendition string) string {
	return filepath.Join(h.folder(name), rendition+pushedExt)
}

// renditionAt is the rendition that a push with this target writes.
func renditionAt(target string) string {
	path, _, _ := strings.Cut(target, "?")
	return strings.TrimSuffix(filepath.Base(path), pushedExt)
}

// fetch brings the source into the spool.
func (s *supervisor) fetch(ctx context.Context, rows *Rows) error {
	h := s.host
	url, err := h.open(&rows.Transcode, sealSource, rows.Transcode.SourceSealed)
	if err != nil {
		return err
	}
	location, err := storage.ParseLocation(url)
	if err != nil {
		return fmt.Errorf("fetch: %w", err)
	}
	if err := os.MkdirAll(filepath.Join(h.folder(s.name), inFolder), spoolMode); err != nil {
		return failed(string(storage.CodeSpoolFailed), StageFetch, err.Error())
	}
	room, err := h.spoolRoom()
	if err != nil {
		return failed(string(storage.CodeSpoolFailed), StageFetch, err.Error())
	}
	if room <= 0 {
		return failed(CodeSpoolReserve, StageFetch, "the reserve is eaten into")
	}
	fetched, err := h.Storage.Fetch(ctx, location, h.sourcePath(s.name), storage.FetchOptions{
		MaxBytes: h.SourceMax,
	})
	if err != nil {
		return fmt.Errorf("fetch: %w", err)
	}
	crash(CrashFetched)
	changed, err := dbsqlc.New().AttemptSetFetched(ctx, h.DB, dbsqlc.AttemptSetFetchedParams{
		TranscodeID: s.name.Transcode, Number: s.number(), BootID: &h.BootID,
		SourceBytes: &fetched.Bytes, SourceEtag: &fetched.ETag,
	})
	crash(CrashFetchRecorded)
	return fenced("record the fetch", changed, err)
}

// prepare probes the source and makes the padded file that Mist reads.
func (s *supervisor) prepare(ctx context.Context, _ *Rows) error {
	h := s.host
	path := h.sourcePath(s.name)
	source, err := h.Media.Probe(ctx, path)
	if err != nil {
		return failureAt(err, StageProbe)
	}
	prepared, err := h.Media.Prepare(ctx, source, path, filepath.Dir(path))
	if err != nil {
		return failureAt(err, StagePrepare)
	}
	sourceJSON, err := json.Marshal(source)
	if err != nil {
		return fmt.Errorf("write down the probe: %w", err)
	}
	preparedJSON, err := json.Marshal(prepared)
	if err != nil {
		return fmt.Errorf("write down the preparation: %w", err)
	}
	crash(CrashPrepared)
	durationMS := max(source.DurationUS/int64(time.Millisecond/time.Microsecond), 1)
	err = db.InTx(ctx, h.DB, func(tx pgx.Tx) error {
		q := dbsqlc.New()
		changed, err := q.TranscodeSetSource(ctx, tx, dbsqlc.TranscodeSetSourceParams{
			ID: s.name.Transcode, Attempt: s.number(), Source: sourceJSON, SourceDurationMs: &durationMS,
		})
		if err := fenced("record the probe", changed, err); err != nil {
			return err
		}
		changed, err = q.AttemptSetPrepared(ctx, tx, dbsqlc.AttemptSetPreparedParams{
			TranscodeID: s.name.Transcode, Number: s.number(), BootID: &h.BootID, Prepared: preparedJSON,
		})
		return fenced("record the preparation", changed, err)
	})
	if err != nil {
		return &rowError{"record the preparation", err}
	}
	crash(CrashPrepareRecorded)
	return nil
}

// failureAt is the failure in err, at stage; a context's end passes through.
func failureAt(err error, stage Stage) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return failureOf(err, stage)
}

// start adds the streams and starts MistProcLivepeer, or finds the one that a boot
// before this one started and did not write down any more.
func (s *supervisor) start(ctx context.Context, rows *Rows) error {
	h := s.host
	prepared, err := preparedOf(&rows.Attempt)
	if err != nil {
		return err
	}
	if s.process, err = s.unrecorded(); err != nil {
		return failed(CodeProcessFailed, StageTranscode, err.Error())
	}
	if s.process == nil {
		if err := h.Mist.AddStreams(ctx, map[string]mist.Stream{
			s.name.Source():    mist.SourceStream(prepared.Path),
			mist.RenditionBase: mist.RenditionStream(),
		}); err != nil {
			return fmt.Errorf("start: %w", err)
		}
		crash(CrashStreamsAdded)
		spec, err := s.processSpec(ctx, rows)
		if err != nil {
			return err
		}
		if s.process, err = mist.StartProcess(ctx, spec); err != nil {
			return failureAt(failed(CodeProcessFailed, StageTranscode, err.Error()), StageTranscode)
		}
	}
	crash(CrashStarted)
	ref := s.process.String()
	changed, err := dbsqlc.New().AttemptSetStarted(ctx, h.DB, dbsqlc.AttemptSetStartedParams{
		TranscodeID: s.name.Transcode, Number: s.number(), BootID: &h.BootID, Process: &ref,
	})
	crash(CrashStartRecorded)
	if err == nil && changed == 1 {
		s.log.InfoContext(ctx, "process started", "pid", s.process.PID)
	}
	return fenced("record the process", changed, err)
}

// unrecorded finds the attempt's process by its working folder.
func (s *supervisor) unrecorded() (*mist.Process, error) {
	running, err := mist.FindProcesses(s.host.BinDir)
	if err != nil {
		return nil, fmt.Errorf("look for processes: %w", err)
	}
	for _, process := range running {
		if process.Dir == s.host.folder(s.name) {
			return mist.Attach(process.ProcessRef), nil
		}
	}
	return nil, nil //nolint:nilnil // none is an answer
}

// broadcasters are the configured ones without those that failed this transcode,
// as long as there are others.
func (s *supervisor) broadcasters(ctx context.Context) ([]string, error) {
	bad, err := dbsqlc.New().AttemptListFailedBroadcasters(ctx, s.host.DB, s.name.Transcode)
	if err != nil {
		return nil, &rowError{"list the Broadcasters that failed", err}
	}
	good := slices.DeleteFunc(slices.Clone(s.host.Broadcasters), func(b string) bool { return slices.Contains(bad, b) })
	if len(good) == 0 {
		return s.host.Broadcasters, nil
	}
	return good, nil
}

func (s *supervisor) processSpec(ctx context.Context, rows *Rows) (mist.ProcessSpec, error) {
	h := s.host
	broadcasters, err := s.broadcasters(ctx)
	if err != nil {
		return mist.ProcessSpec{}, err
	}
	spec := mist.ProcessSpec{
		BinDir: h.BinDir, Dir: h.folder(s.name), Name: s.name,
		Broadcasters: broadcasters, AccessToken: mist.Secret(h.LivepeerToken), CustomURL: h.LivepeerAPI,
	}
	if rows.Transcode.LivepeerSealed != nil {
		text, err := h.open(&rows.Transcode, sealLivepeer, rows.Transcode.LivepeerSealed)
		if err != nil {
			return spec, err
		}
		var own Livepeer
		if err := json.Unmarshal([]byte(text), &own); err != nil {
			return spec, fmt.Errorf("read the sealed Livepeer access: %w", err)
		}
		spec.Broadcasters, spec.AccessToken = nil, mist.Secret(own.AccessToken)
		if own.APIURL != "" {
			spec.CustomURL = own.APIURL
		}
	}
	// All of them, also those that are ok from an earlier attempt: a profile's place
	// is its rendition's ordinal.
	for _, r := range rows.Renditions {
		spec.Profiles = append(spec.Profiles, mist.Profile{
			Name: r.Name, Bitrate: int(r.Bitrate), Width: int(r.Width), Height: int(r.Height),
			FPS: int(r.FPS), GOP: r.GOP, Profile: r.CodecProfile,
		})
	}
	return spec, nil
}

// observe looks at Mist, the process and the spool.
func (s *supervisor) observe(ctx context.Context, rows *Rows) error {
	if s.process == nil && rows.Attempt.Process != nil {
		ref, err := mist.ParseProcessRef(*rows.Attempt.Process)
		if err != nil {
			return fmt.Errorf("attach: %w", err)
		}
		s.process = mist.Attach(ref)
		s.log.InfoContext(ctx, "process attached", "pid", ref.PID, "alive", s.process.Alive())
	}
	status, err := s.host.Mist.Status(ctx, s.name.Source(), s.name.Rendition())
	if err != nil {
		return fmt.Errorf("observe: %w", err)
	}
	now := s.host.clock.now()
	seen := Seen{At: now, ProcessAlive: s.process.Alive(), EndedAt: s.seen.EndedAt, ProgressAt: s.seen.ProgressAt,
		ProcessText: s.seen.ProcessText, Pushing: map[string]bool{}, FileBytes: map[string]int64{}}
	pushedMS := map[string]int64{}
	for _, push := range status.Pushes {
		if push.Stream == s.name.Rendition() {
			name := renditionAt(push.Target)
			seen.Pushing[name] = true
			// A push reports every five seconds; between, it keeps up with its stream.
			pushedMS[name] = max(push.MediaMS, status.Streams[push.Stream].LastMS)
		}
	}
	for _, r := range rows.Renditions {
		if bytes := fileBytes(s.host.pushedPath(s.name, r.Name)); bytes > 0 {
			seen.FileBytes[r.Name] = bytes
		}
	}
	if !seen.ProcessAlive && seen.EndedAt.IsZero() {
		seen.EndedAt = now
		seen.ProcessText = s.processText(ctx)
	}
	if seen.ProgressAt.IsZero() || seen.ProcessAlive != s.seen.ProcessAlive ||
		!maps.Equal(seen.FileBytes, s.seen.FileBytes) || !maps.Equal(seen.Pushing, s.seen.Pushing) {
		seen.ProgressAt = now
	}
	s.seen, rows.Seen = seen, seen
	if err := mist.TrimLog(filepath.Join(s.host.folder(s.name), mist.ProcessLogName), logLimit); err != nil {
		s.log.WarnContext(ctx, "log not trimmed", "error", err)
	}
	if err := s.recordBroadcaster(ctx, rows, status); err != nil {
		return err
	}
	if err := s.findTracks(ctx, rows); err != nil {
		return err
	}
	return s.recordPushed(ctx, rows, pushedMS)
}

// recordBroadcaster writes down which Broadcaster the process speaks to; it says so
// every five seconds.
func (s *supervisor) recordBroadcaster(ctx context.Context, rows *Rows, status mist.Status) error {
	broadcaster := status.Processes[s.process.PID].Broadcaster
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
func (s *supervisor) findTracks(ctx context.Context, rows *Rows) error {
	s.trackless = nil
	for _, r := range rows.Renditions {
		if r.State == RenditionExpected && r.TrackIndex == nil {
			s.trackless = append(s.trackless, r.Ordinal)
		}
	}
	for _, track := range s.newTracks() {
		index := int32(track.Index)
		changed, err := dbsqlc.New().RenditionSetTrack(ctx, s.host.DB, dbsqlc.RenditionSetTrackParams{
			TranscodeID: s.name.Transcode, Attempt: s.number(), Ordinal: int32(mist.OrdinalOfTrack(track.TrackID)), TrackIndex: &index,
		})
		if err != nil {
			return fmt.Errorf("record track %d: %w", track.Index, err)
		}
		if changed > 0 {
			s.log.WarnContext(ctx, "track found without its trigger", "track", track.Index, "id", track.TrackID)
		}
	}
	return nil
}

// newTracks are those of the log that no rendition knows of, once they have been
// there for so long that no trigger is on its way.
func (s *supervisor) newTracks() []mist.Track {
	if len(s.trackless) == 0 {
		return nil
	}
	found, err := mist.TracksInLog(filepath.Join(s.host.folder(s.name), mist.ProcessLogName))
	found = slices.DeleteFunc(found, func(t mist.Track) bool {
		return !slices.Contains(s.trackless, int32(mist.OrdinalOfTrack(t.TrackID)))
	})
	if err != nil || len(found) == 0 {
		s.tracksFrom = time.Time{}
		return nil
	}
	if s.tracksFrom.IsZero() {
		s.tracksFrom = time.Now()
	}
	if time.Since(s.tracksFrom) < trackPatience {
		return nil
	}
	return found
}

// processText is how the process ended and its last words.
func (s *supervisor) processText(ctx context.Context) string {
	text := ""
	if exit, err := s.process.Wait(ctx); err == nil {
		text = "MistProcLivepeer: " + exit.String()
	}
	log, err := mist.TailLog(filepath.Join(s.host.folder(s.name), mist.ProcessLogName), logShown)
	if err == nil && strings.TrimSpace(log) != "" {
		text += "; its log ends: " + strings.TrimSpace(log)
	}
	return text
}

// recordPushed writes down how much media was pushed.
func (s *supervisor) recordPushed(ctx context.Context, rows *Rows, pushedMS map[string]int64) error {
	for i := range rows.Renditions {
		r := &rows.Renditions[i]
		pushed := pushedMS[r.Name]
		if rows.Transcode.SourceDurationMs != nil {
			pushed = min(pushed, *rows.Transcode.SourceDurationMs)
		}
		if r.State != RenditionPushing || pushed <= r.PushedMs {
			continue
		}
		if err := dbsqlc.New().RenditionSetProgress(ctx, s.host.DB, dbsqlc.RenditionSetProgressParams{
			TranscodeID: s.name.Transcode, Name: r.Name, Attempt: s.number(), PushedMs: pushed,
		}); err != nil {
			return fmt.Errorf("record progress of %s: %w", r.Name, err)
		}
		r.PushedMs = pushed
	}
	return nil
}

func (s *supervisor) tellProgress(ctx context.Context, rows *Rows) error {
	ratio := ratioOf(&rows.Transcode, rows.Attempt.Stage, rows.Renditions)
	if ratio <= s.ratio || ratio <= rows.Transcode.Ratio {
		return nil
	}
	if err := dbsqlc.New().TranscodeSetRatio(ctx, s.host.DB, dbsqlc.TranscodeSetRatioParams{
		ID: s.name.Transcode, Attempt: s.number(), Ratio: ratio,
	}); err != nil {
		return fmt.Errorf("record the ratio of %s: %w", s.name, err)
	}
	s.ratio = ratio
	return nil
}

// push starts a rendition's push. One that Mist does not take is tried again until
// the attempt stands still for too long.
func (s *supervisor) push(ctx context.Context, rows *Rows, r *dbsqlc.Rendition) (time.Duration, error) {
	prepared, err := preparedOf(&rows.Attempt)
	if err != nil {
		return 0, s.giveUp(ctx, failureOf(err, StagePush))
	}
	target := mist.PushTarget(s.host.pushedPath(s.name, r.Name), int(*r.TrackIndex), prepared.StopMS)
	push, err := s.host.Mist.StartPush(ctx, s.name.Rendition(), target)
	if errors.Is(err, mist.ErrPushNotStarted) {
		if s.seen.ProcessAlive {
			return pollEvery, nil
		}
		return 0, s.failRendition(ctx, r.Name, failed(CodePushFailed, StagePush, err.Error()))
	}
	if err != nil {
		return 0, fmt.Errorf("push %s: %w", r.Name, err)
	}
	crash(CrashPushStarted)
	pid := int32(push.PID)
	changed, err := dbsqlc.New().RenditionSetPush(ctx, s.host.DB, dbsqlc.RenditionSetPushParams{
		TranscodeID: s.name.Transcode, Name: r.Name, Attempt: s.number(), PushPID: &pid,
	})
	crash(CrashPushRecorded)
	return 0, fenced("record the push of "+r.Name, changed, err)
}

// own makes sure, to the end of tx, that this boot has the attempt: what it decided
// may be long ago, and another boot of the host may have taken it up since. Behind
// the transcode's lock, where there is one.
func (s *supervisor) own(ctx context.Context, tx pgx.Tx) error {
	_, err := dbsqlc.New().AttemptOwn(ctx, tx, dbsqlc.AttemptOwnParams{
		TranscodeID: s.name.Transcode, Number: s.number(), BootID: &s.host.BootID,
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return errFenced
	}
	return err
}

// pushed hands a file over to its store job, in one transaction.
func (s *supervisor) pushed(ctx context.Context, r *dbsqlc.Rendition) error {
	err := db.InTx(ctx, s.host.DB, func(tx pgx.Tx) error {
		if err := s.own(ctx, tx); err != nil {
			return err
		}
		job, err := s.client.InsertTx(ctx, tx, StoreArgs{TranscodeID: s.name.Transcode, Attempt: s.number(), Rendition: r.Name},
			storeOpts(s.host.ID))
		if err != nil {
			return err
		}
		changed, err := dbsqlc.New().RenditionSetPushed(ctx, tx, dbsqlc.RenditionSetPushedParams{
			TranscodeID: s.name.Transcode, Name: r.Name, Attempt: s.number(), JobID: &job.Job.ID,
		})
		crash(CrashPushed)
		return fenced("record the file of "+r.Name, changed, err)
	})
	crash(CrashPushedRecorded)
	if err != nil {
		return fmt.Errorf("hand over %s: %w", r.Name, err)
	}
	s.log.InfoContext(ctx, "rendition pushed", "rendition", r.Name, "bytes", s.seen.FileBytes[r.Name])
	return nil
}

func (s *supervisor) failRendition(ctx context.Context, name string, f *Failure) error {
	s.log.WarnContext(ctx, "rendition failed", "rendition", name, "code", f.Code, "why", f.Text)
	err := db.InTx(ctx, s.host.DB, func(tx pgx.Tx) error {
		if _, err := dbsqlc.New().TranscodeGetForUpdate(ctx, tx, s.name.Transcode); err != nil {
			return err
		}
		if err := s.own(ctx, tx); err != nil {
			return err
		}
		return failLocked(ctx, tx, s.client, s.name, name, f)
	})
	if err != nil {
		return fmt.Errorf("fail %s of %s: %w", name, s.name, err)
	}
	return nil
}

// giveUp fails all that is not pushed. What is pushed may still be stored; the last
// of them settles the attempt.
func (s *supervisor) giveUp(ctx context.Context, f *Failure) error {
	s.log.WarnContext(ctx, "attempt failed", "code", f.Code, "stage", f.Stage, "why", f.Text)
	err := db.InTx(ctx, s.host.DB, func(tx pgx.Tx) error {
		q := dbsqlc.New()
		if _, err := q.TranscodeGetForUpdate(ctx, tx, s.name.Transcode); err != nil {
			return err
		}
		if err := s.own(ctx, tx); err != nil {
			return err
		}
		if err := q.RenditionFailUnpushed(ctx, tx, dbsqlc.RenditionFailUnpushedParams{
			TranscodeID: s.name.Transcode, Attempt: s.number(),
			ErrorCode: f.Code, ErrorStage: string(f.Stage), ErrorMessage: f.Text,
		}); err != nil {
			return err
		}
		return settle(ctx, tx, s.client, s.name.Transcode, s.number())
	})
	if err != nil {
		return fmt.Errorf("give up %s: %w", s.name, err)
	}
	return nil
}

// settle decides what nobody else will.
func (s *supervisor) settle(ctx context.Context) error {
	err := db.InTx(ctx, s.host.DB, func(tx pgx.Tx) error {
		if _, err := dbsqlc.New().TranscodeGetForUpdate(ctx, tx, s.name.Transcode); err != nil {
			return err
		}
		if err := s.own(ctx, tx); err != nil {
			return err
		}
		return settle(ctx, tx, s.client, s.name.Transcode, s.number())
	})
	if err != nil {
		return fmt.Errorf("settle %s: %w", s.name, err)
	}
	return nil
}

// letGo stops what runs, without a word to the database, which may be what is out
// of reach: another host may begin once the lease has ended. What is pushed stays.
func (s *supervisor) letGo(ctx context.Context) {
	if s.process == nil || s.gone {
		return
	}
	s.log.WarnContext(ctx, "the lease ends: process stopped", "pid", s.process.PID)
	s.gone = true
	if err := s.process.Stop(ctx, stopGrace); err != nil {
		s.log.WarnContext(ctx, "process not stopped", "error", err)
	}
	if err := s.host.Mist.RemoveStreams(ctx, s.name.Source(), s.name.Rendition()); err != nil {
		s.log.WarnContext(ctx, "streams not removed", "error", err)
	}
}

// finish says that Mist is done: the slot is free for another.
func (s *supervisor) finish(ctx context.Context) error {
	err := db.InTx(ctx, s.host.DB, func(tx pgx.Tx) error {
		q := dbsqlc.New()
		// No row when the stores were quicker and the outcome is decided.
		if _, err := q.TranscodeSetStoring(ctx, tx, dbsqlc.TranscodeSetStoringParams{ID: s.name.Transcode, Attempt: s.number()}); err != nil {
			return err
		}
		changed, err := q.AttemptSetTranscoded(ctx, tx, dbsqlc.AttemptSetTranscodedParams{
			TranscodeID: s.name.Transcode, Number: s.number(), BootID: &s.host.BootID,
		})
		if err := fenced("record the end", changed, err); err != nil {
			return err
		}
		_, err = s.client.InsertTx(ctx, tx, PlaceArgs{}, nil)
		return err
	})
	if err != nil {
		return fmt.Errorf("finish %s: %w", s.name, err)
	}
	crash(CrashTranscoded)
	return nil
}

// clean removes what the attempt left in Mist and on the machine, and then the
// spool folder if nothing of it is still to be stored. It may run again.
func (s *supervisor) clean(ctx context.Context) error {
	if err := s.stopProcess(ctx); err != nil {
		return err
	}
	crash(CrashProcessStopped)
	status, err := s.host.Mist.Status(ctx, s.name.Source(), s.name.Rendition())
	if err != nil {
		return fmt.Errorf("clean %s: %w", s.name, err)
	}
	for _, push := range status.Pushes {
		if push.Stream == s.name.Rendition() {
			if err := s.host.Mist.StopPush(ctx, push.PID); err != nil {
				return fmt.Errorf("clean %s: %w", s.name, err)
			}
		}
	}
	if err := s.host.Mist.RemoveStreams(ctx, s.name.Source(), s.name.Rendition()); err != nil {
		return fmt.Errorf("clean %s: %w", s.name, err)
	}
	crash(CrashStreamsRemoved)
	err = db.InTx(ctx, s.host.DB, func(tx pgx.Tx) error {
		if _, err := dbsqlc.New().AttemptSetCleaned(ctx, tx, dbsqlc.AttemptSetCleanedParams{
			TranscodeID: s.name.Transcode, Number: s.number(),
		}); err != nil {
			return err
		}
		_, err := s.client.InsertTx(ctx, tx, PlaceArgs{}, nil)
		return err
	})
	if err != nil {
		return fmt.Errorf("clean %s: %w", s.name, err)
	}
	crash(CrashCleaned)
	if err := s.host.removeFolder(ctx, s.name); err != nil {
		return err
	}
	s.log.InfoContext(ctx, "attempt cleaned up")
	return nil
}

// stopProcess ends the attempt's process, recorded or not.
func (s *supervisor) stopProcess(ctx context.Context) error {
	a, err := dbsqlc.New().AttemptGet(ctx, s.host.DB, dbsqlc.AttemptGetParams{TranscodeID: s.name.Transcode, Number: s.number()})
	if err != nil {
		return fmt.Errorf("clean %s: %w", s.name, err)
	}
	if s.process == nil && a.Process != nil {
		ref, err := mist.ParseProcessRef(*a.Process)
		if err != nil {
			return fmt.Errorf("clean %s: %w", s.name, err)
		}
		s.process = mist.Attach(ref)
	}
	if s.process == nil {
		if s.process, err = s.unrecorded(); err != nil {
			return fmt.Errorf("clean %s: %w", s.name, err)
		}
	}
	if s.process == nil {
		return nil
	}
	if err := s.process.Stop(ctx, stopGrace); err != nil {
		return fmt.Errorf("clean %s: %w", s.name, err)
	}
	return nil
}
