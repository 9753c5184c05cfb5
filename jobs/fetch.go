package jobs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"weir/db/dbsqlc"
	"weir/storage"
)

// errLate: the source has had its time.
var errLate = errors.New("the source has had its time")

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
	limited, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	late := time.AfterFunc(fetchFloor, func() { cancel(errLate) })
	defer late.Stop()
	sized := false
	fetched, err := h.Storage.Fetch(limited, location, h.sourcePath(s.name), storage.FetchOptions{
		MaxBytes: h.SourceMax,
		OnProgress: func(_, total int64) {
			if !sized {
				late.Reset(fetchLimit(total))
			}
			sized = true
		},
	})
	if err != nil && errors.Is(context.Cause(limited), errLate) {
		return failed(CodeDeadline, StageFetch, "its server is too slow")
	}
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
