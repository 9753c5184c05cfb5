package jobs

import (
	"context"

	"github.com/google/uuid"

	"weir/db/dbsqlc"
)

// For the tests of rows, which stand outside to share package jobstest.
const (
	MaxAttempts = maxAttempts
	LostMax     = lostMax
)

var FreeWait = freeWait

// AcceptTogether accepts requests as those that come at once; nil are those that it leaves out.
func (ts *Transcodes) AcceptTogether(ctx context.Context, all []*Request) (accepted []*dbsqlc.Transcode, err error) {
	came := make([]*arriving, len(all))
	for i, req := range all {
		came[i] = &arriving{Arrival: Arrival{ID: uuid.Must(uuid.NewV7())}, Request: req}
	}
	err = ts.acceptFresh(ctx, came)
	for _, one := range came {
		accepted = append(accepted, one.accepted)
	}
	return accepted, err
}
