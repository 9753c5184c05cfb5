// Package promises looks for rows that break what Weir promises, and says how each is mended.
package promises

import (
	"context"
	"fmt"
	"time"

	"weir/db/dbsqlc"
)

// pageMost is how many of a kind are listed: where there are more, the first tell enough.
const pageMost = 20

// Fault is a row, or a part of the schema, that breaks a promise.
type Fault struct {
	// Promise is a word for what is broken; docs/admin.md has them.
	Promise string `json:"promise"`
	// What is what it is of.
	What string `json:"what"`
	// Mend is the line that mends it, or what a person has to do.
	Mend string `json:"mend"`
}

// Faults lists what is broken, up to a page of each promise; of what has ended it looks at
// what did so since then. It changes nothing.
func Faults(ctx context.Context, on dbsqlc.DBTX, since time.Time) ([]Fault, error) {
	rows, err := dbsqlc.New().PromiseFaults(ctx, on, dbsqlc.PromiseFaultsParams{Since: since, PageSize: pageMost})
	if err != nil {
		return nil, fmt.Errorf("look for broken promises: %w", err)
	}
	faults := make([]Fault, len(rows))
	for i, row := range rows {
		faults[i] = Fault(row)
	}
	return faults, nil
}
