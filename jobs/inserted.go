package jobs

import (
	"context"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
)

// inserted dates new jobs by the database's clock. River's driver takes the inserting
// program's, and fetches by the database's: a host whose clock is ahead would hold up
// by as much whatever it inserts. (riverpgxv5: a zero time becomes now().)
type inserted struct{ river.MiddlewareDefaults }

var _ rivertype.JobInsertMiddleware = (*inserted)(nil)

// InsertMany implements rivertype.JobInsertMiddleware.
func (*inserted) InsertMany(ctx context.Context, jobs []*rivertype.JobInsertParams,
	insert func(context.Context) ([]*rivertype.JobInsertResult, error),
) ([]*rivertype.JobInsertResult, error) {
	for _, job := range jobs {
		job.CreatedAt = &time.Time{}
		if job.State == rivertype.JobStateAvailable {
			job.ScheduledAt = &time.Time{}
		}
	}
	return insert(ctx)
}
