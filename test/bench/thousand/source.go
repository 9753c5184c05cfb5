package thousand

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"weir/storage"
	"weir/test/bench/free"
)

// heldSource begins the key of a source that is not there before the gate opens.
const heldSource = "held/"

// heldStorage is free, but for sources that are held: it has those once the gate answers.
type heldStorage struct {
	free.Storage

	gate string
}

// Fetch implements host.Storage.
func (s heldStorage) Fetch(ctx context.Context, from storage.Location, path string, opt storage.FetchOptions) (storage.Fetched, error) {
	if strings.HasPrefix(from.Key(), heldSource) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.gate, nil)
		if err != nil {
			return storage.Fetched{}, fmt.Errorf("wait for a source: %w", err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return storage.Fetched{}, fmt.Errorf("wait for a source: %w", err)
		}
		_ = resp.Body.Close()
	}
	return s.Storage.Fetch(ctx, from, path, opt)
}
