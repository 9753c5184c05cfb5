package jobs

import (
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
)

// Decider moves transcodes through their states within a transaction, and inserts the
// River jobs that follow: both are committed or neither is. Where it decides an outcome
// the caller holds the transcode's lock (TranscodeGetForUpdate) in Tx, since before it
// changed a rendition.
type Decider struct {
	Tx    pgx.Tx
	River *river.Client[pgx.Tx]
}
