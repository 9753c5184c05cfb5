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

	// again: an earlier try made it, and may have uploaded a part.
	again bool
	took  took
}

// finish makes the rendition's file and judges it, unless an earlier try did: also one of
// a daemon that is no more. What the push left is not needed any more then.
func (s *store) finish(ctx context.Context) (finished, error) {
	h := s.host
	path, pushed := h.finishedPath(s.name, s.rendition.Name), h.pushedPath(s.name, s.rendition.Name)
	done, kept, err := readFinished(path)
	if err != nil {
		return done, err
	}
	if !kept {
		if done, err = s.finishAnew(ctx, pushed, path); err != nil {
			return done, err
		}
	}
	return done, nil
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

// finishAnew finishes and judges, beside no more others than the host has processors for.
func (s *store) finishAnew(ctx context.Context, pushed, path string) (done finished, err error) {
	h := s.host
	select {
	case h.finishing <- struct{}{}:
	case <-ctx.Done():
		return done, fmt.Errorf("wait for a turn to finish: %w", context.Cause(ctx))
	}
	defer func() { <-h.finishing }()
	source, err := sourceOf(&s.transcode)
	if err != nil {
		return done, err
	}
	prepared, err := preparedOf(&s.attempt)
	if err != nil {
		return done, err
	}
	if err := os.MkdirAll(h.outFolder(s.name), spoolMode); err != nil {
		return done, jobs.Failed(string(storage.CodeSpoolFailed), jobs.StageStore, err.Error())
	}
	done.again = fileBytes(path) > 0
	began := time.Now()
	finishing, span := h.Trace.Begin(ctx, trace.Finish, "rendition", s.rendition.Name)
	err = h.Media.Finish(finishing, media.Pushed{
		Path: pushed, From: h.sourcePath(s.name), Source: source, Prepared: prepared, FPS: frameRate(&s.rendition),
	}, path)
	span.End(err)
	if err != nil {
		return done, fmt.Errorf("finish: %w", err)
	}
	jobs.Crash(jobs.CrashFinished)
	planned := plannedSize(&s.rendition)
	judging := time.Now()
	done.took.finish = judging.Sub(began)
	judgingCtx, span := h.Trace.Begin(ctx, trace.Judge, "rendition", s.rendition.Name)
	group, groupCtx := errgroup.WithContext(judgingCtx)
	group.Go(func() (err error) {
		done.Verdict, err = h.Media.Judge(groupCtx, path, media.Want{
			Width: planned.Width, Height: planned.Height, FPS: frameRate(&s.rendition),
			BitRate: judgedBitRate(&s.transcode, &s.rendition), Source: source, Prepared: prepared,
			Followed: h.follows.over(pushed),
		})
		if err != nil {
			return fmt.Errorf("judge: %w", err)
		}
		return nil
	})
	group.Go(func() (err error) {
		done.Checksum, err = storage.Checksum(path)
		return err
	})
	err = group.Wait()
	span.End(err, "ok", done.Verdict.OK, "frames", done.Verdict.Frames)
	if err != nil {
		return done, err
	}
	if !done.Verdict.OK {
		return done, s.behind(ctx, notOK(done.Verdict), &prepared)
	}
	done.took.judge = time.Since(judging)
	done.Bytes = fileBytes(path)
	return done, done.keep(path)
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
	f.again = true
	return f, kept, nil
}

// parse says whether text is one: that of a machine that lost its power may be none.
func (f *finished) parse(text []byte) bool { return json.Unmarshal(text, f) == nil }
