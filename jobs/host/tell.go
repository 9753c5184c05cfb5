package host

import (
	"context"
	"fmt"
	"time"

	"weir/db/dbsqlc"
)

// tellEvery is how often progress is written down: Studio hears of it every 30 s at the
// least, and each time costs a transaction.
const tellEvery = 5 * time.Second

// tell writes down how far this host's attempts are. Nothing depends on it.
func (h *Host) tell(ctx context.Context) error {
	told, some := h.progress.take()
	if !some {
		return nil
	}
	if err := dbsqlc.New().TranscodeTell(ctx, h.DB, told); err != nil {
		return fmt.Errorf("tell the progress of host %s: %w", h.ID, err)
	}
	return nil
}
