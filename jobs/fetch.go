package jobs

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"weir/db/dbsqlc"
	"weir/storage"
)

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
