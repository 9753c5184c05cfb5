package host

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"weir/db"
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
	changed := int64(0)
	err = s.exec(ctx, func(ctx context.Context, on db.Queryer) (err error) {
		changed, err = dbsqlc.New().AttemptSetStarted(ctx, on, dbsqlc.AttemptSetStartedParams{
			TranscodeID: s.name.Transcode, Number: s.number(), BootID: &h.BootID, Process: &ref,
		})
		return err
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
	own, err := h.livepeerOf(&rows.Transcode)
	if err != nil {
		return nil, err
	}
	if own != nil {
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

// livepeerOf is the request's own way to Livepeer; nil: it has none. The error is a
// *jobs.Failure where it may not be used.
//
// It is MistProcLivepeer that speaks to a Livepeer API and to the Broadcasters that one
// names. It follows redirects and compares no certificate, so that whoever answers there
// can send it anywhere on this host's network: to look at an address before would hold
// nothing. So a request may name only what an operator trusts.
func (h *Host) livepeerOf(t *dbsqlc.Transcode) (*jobs.Livepeer, error) {
	if t.LivepeerSealed == nil {
		return nil, nil //nolint:nilnil // none is an answer
	}
	text, err := h.open(t, jobs.SealedLivepeer, t.LivepeerSealed)
	if err != nil {
		return nil, err
	}
	own := &jobs.Livepeer{}
	if err := json.Unmarshal([]byte(text), own); err != nil {
		return nil, fmt.Errorf("read the sealed Livepeer access: %w", err)
	}
	if own.APIURL != "" && !h.trusts(own.APIURL) {
		return nil, jobs.Failed(jobs.CodeLivepeerRefused, jobs.StageFetch,
			"it is none of WEIR_LIVEPEER_APIS, and no literal address of WEIR_ALLOWED_NETWORKS")
	}
	return own, nil
}

// trusts reports whether a request may name this Livepeer API: one of the settings, or
// one at a literal address of an allowed network. A name may resolve to something else
// when MistProcLivepeer looks.
func (h *Host) trusts(api string) bool {
	u, err := url.Parse(api)
	if err != nil {
		return false
	}
	wanted := sameAPI(u)
	for _, known := range append(slices.Clone(h.LivepeerAPIs), h.LivepeerAPI) {
		if k, err := url.Parse(known); err == nil && k.Host != "" && sameAPI(k) == wanted {
			return true
		}
	}
	addr, err := netip.ParseAddr(u.Hostname())
	if err != nil {
		return false
	}
	port := uint64(80)
	if u.Scheme == "https" {
		port = 443
	}
	if u.Port() != "" {
		if port, err = strconv.ParseUint(u.Port(), 10, 16); err != nil {
			return false
		}
	}
	return h.Guard.Trusts(netip.AddrPortFrom(addr, uint16(port)))
}

// sameAPI is what is compared of a Livepeer API's URL: all of it but a slash at its end.
func sameAPI(u *url.URL) string {
	same := *u
	same.Scheme, same.Host = strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	same.Path = strings.TrimRight(u.Path, "/")
	same.RawPath = strings.TrimRight(u.RawPath, "/")
	return same.String()
}

const (
	// againGrace is what a process and its inputs get to go before another one starts:
	// the real ones take up to 3 s, a hung one would take 45.
	againGrace = 5 * time.Second
	// againClear is how long Mist may take to forget streams whose input had to be killed.
	againClear = 15 * time.Second
	// againLook is how often it is looked whether it has.
	againLook = 200 * time.Millisecond
)

// startAgain stops the process and all that it started, and takes the attempt back to
// where it is prepared. What is pushed stays.
func (s *supervisor) startAgain(ctx context.Context, rows *jobs.Rows, rerun bool) error {
	s.log.WarnContext(ctx, "process starts again", "rerun", rerun, "hung starts", rows.Attempt.HungStarts,
		"reruns", rows.Attempt.Reruns, "why", s.processText(ctx))
	if s.process != nil {
		if err := s.clear(ctx); err != nil {
			return fmt.Errorf("start %s again: %w", s.name, err)
		}
	}
	for _, r := range rows.Renditions {
		if r.Attempt == s.number() && (r.State == jobs.RenditionExpected || r.State == jobs.RenditionPushing) {
			// Half a file would pass for a push that is over.
			path := s.host.pushedPath(s.name, r.Name)
			s.host.follows.drop(func(followed string) bool { return followed == path })
			if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
				return fmt.Errorf("start %s again: %w", s.name, err)
			}
		}
	}
	jobs.Crash(jobs.CrashStoppedAgain)
	params := dbsqlc.AttemptStartAgainParams{TranscodeID: s.name.Transcode, Number: s.number(), BootID: &s.host.BootID}
	if rerun {
		params.Reruns = 1
	} else {
		params.HungStarts = 1
	}
	err := db.InTx(ctx, s.host.DB, func(tx pgx.Tx) error {
		q := dbsqlc.New()
		if _, err := q.TranscodeGetForUpdate(ctx, tx, s.name.Transcode); err != nil {
			return err
		}
		changed, err := q.AttemptStartAgain(ctx, tx, params)
		if err := fenced("record the stop", changed, err); err != nil {
			return err
		}
		return q.RenditionExpectAgain(ctx, tx, dbsqlc.RenditionExpectAgainParams{TranscodeID: s.name.Transcode, Attempt: s.number()})
	})
	if err != nil {
		return fmt.Errorf("start %s again: %w", s.name, err)
	}
	jobs.Crash(jobs.CrashAgainRecorded)
	s.process, s.seen, s.tracksFrom, s.trackless = nil, jobs.Seen{StopFrom: s.seen.StopFrom}, time.Time{}, nil
	s.startSeen, s.refused = time.Time{}, nil
	return nil
}

// clear ends the process with its inputs, so that the next one finds neither them nor
// their memory. Inputs that go by themselves take their streams with them; of those that
// have to be killed Mist must sweep up, and until it has, it would take the next one's too.
func (s *supervisor) clear(ctx context.Context) error {
	gone, err := s.process.Terminate(ctx, againGrace)
	if err != nil || gone {
		return err
	}
	if err := s.process.Kill(ctx); err != nil {
		return err
	}
	if err := s.host.Engine.Remove(ctx, s.name); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, againClear)
	defer cancel()
	tick := time.NewTicker(againLook)
	defer tick.Stop()
	for {
		look, err := s.host.Engine.Look(ctx, s.name)
		if err != nil {
			return err
		}
		used, err := s.host.Engine.InUse()
		if err != nil {
			return err
		}
		if !used[s.name] && !look.Running[s.name] {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("wait for Mist to forget the streams: %w", ctx.Err())
		}
	}
}
