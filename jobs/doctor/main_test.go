package doctor

import (
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	// patience is for machines that build beside.
	patience = time.Minute
	// lookAgain costs a query each time.
	lookAgain = 100 * time.Millisecond
)
