package host

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"weir/db/dbsqlc"
	"weir/engine"
	"weir/jobs"
	"weir/media"
	"weir/secret"
)

// start adds the streams and starts MistProcLivepeer, or finds the one that a boot
// before this one started and did not write down any more.
func (s *supervisor) start(ctx context.Context, rows *jobs.Rows) error {
	h := s.host
	prepared, err := preparedOf(&rows.Attempt)
	if err != nil {
		return err
	}
	if s.process, err = s.unrecorded(); err != nil {
		return jobs.Failed(jobs.CodeProcessFailed, jobs.StageTranscode, err.Error())
	}
	if s.process == nil {
		if err := h.Engine.Add(ctx, s.name, prepared.Path); err != nil {
			return fmt.Errorf("start: %w", err)
		}
		jobs.Crash(jobs.CrashStreamsAdded)
		task, err := s.task(ctx, rows)
		if err != nil {
			return err
		}
		if s.process, err = h.Engine.Start(ctx, task); err != nil {
			return failureAt(jobs.Failed(jobs.CodeProcessFailed, jobs.StageTranscode, err.Error()), jobs.StageTranscode)
		}
	}
	jobs.Crash(jobs.CrashStarted)
	ref := s.process.String()
	changed, err := dbsqlc.New().AttemptSetStarted(ctx, h.DB, dbsqlc.AttemptSetStartedParams{
		TranscodeID: s.name.Transcode, Number: s.number(), BootID: &h.BootID, Process: &ref,
	})
	jobs.Crash(jobs.CrashStartRecorded)
	if err == nil && changed == 1 {
		s.log.InfoContext(ctx, "process started", "pid", s.process.ID())
	}
	return fenced("record the process", changed, err)
}

// unrecorded finds the attempt's process by its working folder.
func (s *supervisor) unrecorded() (engine.Process, error) {
	running, err := s.host.Engine.Find()
	if err != nil {
		return nil, fmt.Errorf("look for processes: %w", err)
	}
	for _, process := range running {
		if process.Folder == s.host.folder(s.name) {
			return process.Process, nil
		}
	}
	return nil, nil //nolint:nilnil // none is an answer
}

// broadcasters are the configured ones without those that failed this transcode,
// as long as there are others.
func (s *supervisor) broadcasters(ctx context.Context) ([]string, error) {
	var codes []string // a fault of the host is none of theirs
	for _, kind := range jobs.Kinds() {
		if kind.Blame == jobs.BlameLivepeer {
			codes = append(codes, kind.Code)
		}
	}
	bad, err := dbsqlc.New().AttemptListFailedBroadcasters(ctx, s.host.DB, dbsqlc.AttemptListFailedBroadcastersParams{
		TranscodeID: s.name.Transcode, Codes: codes,
	})
	if err != nil {
		return nil, &rowError{"list the Broadcasters that failed", err}
	}
	good := slices.DeleteFunc(slices.Clone(s.host.Broadcasters), func(b string) bool { return slices.Contains(bad, b) })
	if len(good) == 0 {
		return s.host.Broadcasters, nil
	}
	return good, nil
}

// task is what the rows ask for.
func (s *supervisor) task(ctx context.Context, rows *jobs.Rows) (*engine.Task, error) {
	h := s.host
	broadcasters, err := s.broadcasters(ctx)
	if err != nil {
		return nil, err
	}
	task := &engine.Task{
		Name: s.name, Folder: h.folder(s.name),
		Broadcasters: broadcasters, AccessToken: h.LivepeerToken, CustomURL: h.LivepeerAPI,
	}
	if rows.Transcode.LivepeerSealed != nil {
		text, err := h.open(&rows.Transcode, jobs.SealedLivepeer, rows.Transcode.LivepeerSealed)
		if err != nil {
			return nil, err
		}
		var own jobs.Livepeer
		if err := json.Unmarshal([]byte(text), &own); err != nil {
			return nil, fmt.Errorf("read the sealed Livepeer access: %w", err)
		}
		task.Broadcasters, task.AccessToken = nil, secret.Secret(own.AccessToken)
		if own.APIURL != "" {
			task.CustomURL = own.APIURL
		}
	}
	prepared, err := preparedOf(&rows.Attempt)
	if err != nil {
		return nil, err
	}
	// All of them, also those that are ok from an earlier attempt: a profile's place
	// is its rendition's ordinal.
	for i := range rows.Renditions {
		r := &rows.Renditions[i]
		ask := h.sizePlan(r, &prepared).Ask
		fps, den := prepared.Ask(frameRate(r))
		profile := engine.Profile{
			Name: r.Name, Bitrate: clockBitrate(r.Bitrate, &prepared), Quality: int(r.Quality), Width: ask.Width, Height: ask.Height,
			FPS: int(fps), GOP: r.GOP, Profile: r.CodecProfile,
		}
		if den > 1 {
			profile.FPSDen = int(den)
		}
		task.Profiles = append(task.Profiles, profile)
	}
	return task, nil
}

const (
	// A Broadcaster closes the connection on bit rates below and far above these
	// (go-livepeer, tried).
	leastBitrate = 1000
	mostBitrate  = 1_000_000_000
)

// clockBitrate is what to ask for so that a rendition holds so many bits in a second of
// true time: a transcoder counts seconds of the clock.
func clockBitrate(bitrate int64, prepared *media.Prepared) int {
	return int(min(max(float64(bitrate)*prepared.RateScale, leastBitrate), mostBitrate))
}
