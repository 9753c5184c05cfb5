package control

import (
	"context"
	"errors"
	"fmt"

	"weir/db/dbsqlc"
	"weir/jobs/doctor"
	"weir/studio"
)

// receiversMost are tried at once, those of most transcodes first.
const receiversMost = 32

// Checks are what a daemon that leads looks at beside the database.
func (c *Control) Checks() []doctor.Check {
	return []doctor.Check{{Codes: []doctor.Code{doctor.ReceiverReach}, Look: c.lookAtReceivers}}
}

// lookAtReceivers connects to where open transcodes are told of, past the guard that
// deliveries pass.
func (c *Control) lookAtReceivers(ctx context.Context) []doctor.Finding {
	rows, err := dbsqlc.New().ReceiverList(ctx, c.DB, receiversMost)
	if err != nil {
		return []doctor.Finding{doctor.Wrong(doctor.Unknown, doctor.ReceiverReach, "", "", "the open transcodes could not be read")}
	}
	if len(rows) == 0 {
		return []doctor.Finding{doctor.Well(doctor.ReceiverReach, "", "no open transcode has a receiver")}
	}
	found := make(chan doctor.Finding)
	for _, row := range rows {
		go func() { found <- reach(ctx, c.Studio, &row) }()
	}
	var all []doctor.Finding
	for range rows {
		all = append(all, <-found)
	}
	return all
}

func reach(ctx context.Context, client *studio.Client, row *dbsqlc.ReceiverListRow) doctor.Finding {
	open := fmt.Sprintf("of %d open transcodes", row.Transcodes)
	err := client.Reach(ctx, row.Receiver)
	switch {
	case err == nil:
		return doctor.Well(doctor.ReceiverReach, row.Receiver, "it can be connected to; %s", open)
	case errors.Is(err, context.DeadlineExceeded):
		return doctor.Wrong(doctor.Fail, doctor.ReceiverReach, row.Receiver, "", "no answer in time; %s", open)
	}
	return doctor.Wrong(doctor.Fail, doctor.ReceiverReach, row.Receiver, "", "%s; %s", err, open)
}
