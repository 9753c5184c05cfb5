package free

import (
	"context"

	"weir/jobs/host"
	"weir/storage"
)

var _ host.Storage = Storage{}

// Storage is a storage.
type Storage struct{}

// Fetch implements host.Storage.
func (Storage) Fetch(_ context.Context, from storage.Location, path string, opt storage.FetchOptions) (storage.Fetched, error) {
	bytes := int64(len(freeFile))
	if opt.OnProgress != nil {
		opt.OnProgress(bytes, bytes)
	}
	return storage.Fetched{Bytes: bytes, ETag: `"free"`, Identity: from.Key()}, leave(path)
}

// Upload implements host.Storage.
func (Storage) Upload(_ context.Context, _ storage.Location, path string, opt storage.UploadOptions) (storage.Object, error) {
	checksum, err := storage.Checksum(path)
	bytes := int64(len(freeFile))
	if opt.OnProgress != nil {
		opt.OnProgress(bytes, bytes)
	}
	return storage.Object{Bytes: bytes, ETag: `"free"`, Checksum: checksum}, err
}

// Verify implements host.Storage.
func (Storage) Verify(context.Context, storage.Location, storage.Object) error { return nil }

// Look implements host.Storage.
func (Storage) Look(context.Context, storage.Location) (storage.Present, error) {
	return storage.Present{}, nil
}

// CheckNames implements host.Storage.
func (Storage) CheckNames(...storage.Location) error { return nil }

// TryWrite implements host.Storage.
func (Storage) TryWrite(context.Context, storage.Location, ...storage.Location) error { return nil }

// Delete implements host.Storage.
func (Storage) Delete(context.Context, storage.Location) error { return nil }

// DeleteFolder implements host.Storage.
func (Storage) DeleteFolder(context.Context, storage.Location) (int, error) { return 0, nil }

// AbortUploads implements host.Storage.
func (Storage) AbortUploads(context.Context, storage.Location) (int, error) { return 0, nil }
