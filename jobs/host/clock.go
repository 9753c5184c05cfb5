package host

import (
	"sync/atomic"
	"time"
)

// clock is the database's, which all rows are dated by: this host's own may be wrong,
// and may jump.
type clock struct{ told atomic.Pointer[telling] }

// telling is what the database said when.
type telling struct{ database, here time.Time }

// set learns the database's time, as it was asked for.
func (c *clock) set(database, asked time.Time) { c.told.Store(&telling{database, asked}) }

// now counts on from the last telling, by the machine's ticks; this host's own time
// while there was none.
func (c *clock) now() time.Time {
	told := c.told.Load()
	if told == nil {
		return time.Now()
	}
	return told.database.Add(time.Since(told.here))
}
