package doctor

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"weir/db/dbsqlc"
)

// ProbeTrigger is the name under which a host's checkup posts to where Mist's triggers go. No
// Mist has a trigger of that name.
const ProbeTrigger = "WEIR_DOCTOR"

// ErrNoProbe: no row holds what was posted.
var ErrNoProbe = errors.New("what was posted is not in this database")

// NewProbe is the id of a post that asks where triggers come to.
func NewProbe() string { return "doctor-" + uuid.NewString() }

// TakeProbe returns the id of the host that recorded the post, and takes its row away: it is
// of nothing that anybody looks for. Without one the error is [ErrNoProbe].
func TakeProbe(ctx context.Context, conn dbsqlc.DBTX, id string) (host string, err error) {
	taken, err := dbsqlc.New().MistEventTakeProbe(ctx, conn, &id)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", ErrNoProbe
	}
	if err != nil {
		return "", fmt.Errorf("take trigger %s: %w", id, err)
	}
	return taken.HostID, nil
}
