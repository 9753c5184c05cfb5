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
	came := arrive(all)
	err = ts.acceptFresh(ctx, came)
	return acceptedOf(came), err
}

// AcceptTwice does it again with the same, as if it were unknown what came of the first time.
func (ts *Transcodes) AcceptTwice(ctx context.Context, all []*Request) (first, again []*dbsqlc.Transcode, err error) {
	came := arrive(all)
	if err := ts.acceptFresh(ctx, came); err != nil {
		return nil, nil, err
	}
	first = acceptedOf(came)
	err = ts.acceptFresh(ctx, came)
	return first, acceptedOf(came), err
}

func arrive(all []*Request) []*arriving {
	came := make([]*arriving, len(all))
	for i, req := range all {
		came[i] = &arriving{Arrival: Arrival{ID: uuid.Must(uuid.NewV7())}, Request: req}
	}
	return came
}

func acceptedOf(came []*arriving) (accepted []*dbsqlc.Transcode) {
	for _, one := range came {
		accepted = append(accepted, one.accepted)
	}
	return accepted
}
