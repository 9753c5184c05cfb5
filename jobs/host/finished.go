package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"weir/jobs"
	"weir/jobs/trace"
	"weir/media"
	"weir/storage"
)

// keptExt follows a finished file's name where it is written what the judge found in it.
const keptExt = ".json"

// finished is a rendition's file as it is to be uploaded, and what the judge found in it:
// kept beside the file, as both cost more than an upload that is tried for a day.
type finished struct {
	Bytes    int64         `json:"bytes"`
	Checksum string        `json:"checksum"`
	Verdict  media.Verdict `json:"verdict"`

	took took
}

// A judging is a finished file on its way to its verdict.
type judging struct {
	// again: an earlier try made the file, and may have uploaded a part.
	again bool

	over chan struct{}
	// at is when it was over; found and err are there then.
	at    time.Time
	found finished
	err   error
}

// wait is what the judge found; an error too where it is not OK.
func (j *judging) wait() (finished, error) {
	<-j.over
	return j.found, j.err
}

// before is the judge's error, which comes before another of the same file.
func (j *judging) before(err error) error {
	if _, judged := j.wait(); judged != nil {
		return judged
	}
	return err
}

// finish makes the rendition's file and begins to judge it, unless an earlier try did: also
// one of a daemon that is no more. Who calls it waits for the judge.
func (s *store) finish(ctx context.Context) (*judging, error) {
	h := s.host
	path := h.finishedPath(s.name, s.rendition.Name)
	done, kept, err := readFinished(path)
	if err != nil {
		return nil, err
	}
	j := &judging{again: kept || fileBytes(path) > 0, over: make(chan struct{})}
	if kept {
		j.found = done
		close(j.over)
		return j, nil
	}
	return j, s.finishAnew(ctx, path, j)
}

// free removes what is not needed any more once the rendition is finished. What stays is
// removed at the next try, or at the end.
func (s *store) free(ctx context.Context) {
	pushed := s.host.pushedPath(s.name, s.rendition.Name)
	s.host.follows.drop(func(followed string) bool { return followed == pushed })
	err := os.Remove(pushed)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err := errors.Join(err, s.host.freeInputs(ctx, s.name)); err != nil {
		s.log.InfoContext(ctx, "files stay", "why", err)
	}
}

// finishAnew finishes, and judges beside its caller. No more do so at once than the host has
// processors for.
func (s *store) finishAnew(ctx context.Context, path string, j *judging) (err error) {
	h := s.host
	select {
	case h.finishing <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("wait for a turn to finish: %w", context.Cause(ctx))
	}
	defer func() {
		if err != nil {
			<-h.finishing
		}
	}()
	pushed := h.pushedPath(s.name, s.rendition.Name)
	source, err := sourceOf(&s.transcode)
	if err != nil {
		return err
	}
	prepared, err := preparedOf(&s.attempt)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(h.outFolder(s.name), spoolMode); err != nil {
		return jobs.Failed(string(storage.CodeSpoolFailed), jobs.StageStore, err.Error())
	}
	began := time.Now()
	finishing, span := h.Trace.Begin(ctx, trace.Finish, "rendition", s.rendition.Name)
	followed := h.follows.over(pushed)
	listed, err := h.Media.Finish(finishing, media.Pushed{
		Path: pushed, From: h.sourcePath(s.name), Source: source, Prepared: prepared, FPS: frameRate(&s.rendition), Followed: followed,
	}, path)
	span.End(err)
	if err != nil {
		return fmt.Errorf("finish: %w", err)
	}
	jobs.Crash(jobs.CrashFinished)
	j.found.took.finish = time.Since(began)
	planned := plannedSize(&s.rendition)
	want := media.Want{
		Width: planned.Width, Height: planned.Height, FPS: frameRate(&s.rendition),
		BitRate: judgedBitRate(&s.transcode, &s.rendition), Source: source, Prepared: prepared,
		Followed: followed, Listed: listed,
	}
	go func() {
		defer close(j.over)
		defer func() { <-h.finishing }()
		j.err = s.judge(ctx, path, want, &j.found)
		j.at = time.Now()
	}()
	return nil
}

// judge judges a finished file and keeps what it finds, where it is OK.
func (s *store) judge(ctx context.Context, path string, want media.Want, found *finished) error {
	h := s.host
	began := time.Now()
	judgingCtx, span := h.Trace.Begin(ctx, trace.Judge, "rendition", s.rendition.Name)
	group, groupCtx := errgroup.WithContext(judgingCtx)
	group.Go(func() (err error) {
		if found.Verdict, err = h.Media.Judge(groupCtx, path, want); err != nil {
			return fmt.Errorf("judge: %w", err)
		}
		return nil
	})
	group.Go(func() (err error) {
		found.Checksum, err = storage.Checksum(path)
		return err
	})
	err := group.Wait()
	span.End(err, "ok", found.Verdict.OK, "frames", found.Verdict.Frames)
	if err != nil {
		return err
	}
	if !found.Verdict.OK {
		return s.behind(ctx, notOK(found.Verdict), &want.Prepared)
	}
	found.took.judge = time.Since(began)
	found.Bytes = fileBytes(path)
	return found.keep(path)
}

// keep writes it down beside the file, whole or not at all.
func (f *finished) keep(path string) error {
	text, err := json.Marshal(f)
	if err != nil {
		return fmt.Errorf("write down the verdict: %w", err)
	}
	const part = ".part" // not whole yet
	if err := os.WriteFile(path+keptExt+part, text, 0o600); err != nil {
		return jobs.Failed(string(storage.CodeSpoolFailed), jobs.StageStore, err.Error())
	}
	if err := os.Rename(path+keptExt+part, path+keptExt); err != nil {
		return jobs.Failed(string(storage.CodeSpoolFailed), jobs.StageStore, err.Error())
	}
	return nil
}

// readFinished reads what was kept of the file at path; kept is false where nothing was, or
// where the file is not the one any more that was judged, by its length. Its bytes are
// compared as they are uploaded.
func readFinished(path string) (f finished, kept bool, err error) {
	text, err := os.ReadFile(path + keptExt)
	if errors.Is(err, fs.ErrNotExist) {
		return f, false, nil
	}
	if err != nil {
		return f, false, jobs.Failed(string(storage.CodeSpoolFailed), jobs.StageStore, err.Error())
	}
	// Else it is finished anew, if what was pushed is there.
	kept = f.parse(text) && f.Bytes == fileBytes(path)
	return f, kept, nil
}

// parse says whether text is one: that of a machine that lost its power may be none.
func (f *finished) parse(text []byte) bool { return json.Unmarshal(text, f) == nil }
