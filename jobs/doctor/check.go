package doctor

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"
)

// Check looks at one thing, or at several that belong together.
type Check struct {
	// Codes are all that it may find.
	Codes []Code
	// Most is how long it may take; 0: [checkMost].
	Most time.Duration
	// Look returns what it saw. It keeps to its context.
	Look func(ctx context.Context) []Finding
}

// checkMost is far above what a thing that is well takes.
const checkMost = 15 * time.Second

// Order says which checks are wanted.
type Order struct {
	Only Only
	// Cheap ones alone.
	Cheap bool
}

// wants says which of a check's codes are asked for.
func (o Order) wants(c *Check) (codes []Code) {
	for _, code := range c.Codes {
		if o.Only.Has(code) && (!o.Cheap || code.Cheap()) {
			codes = append(codes, code)
		}
	}
	return codes
}

// Run looks, all at once: what hangs holds up nothing but itself, and is said to. Findings
// that were not asked for are left out.
func Run(ctx context.Context, daemon string, order Order, checks ...Check) (findings []Finding, looked []Code) {
	var mu sync.Mutex
	var running sync.WaitGroup
	for i := range checks {
		check := &checks[i]
		codes := order.wants(check)
		if len(codes) == 0 {
			continue
		}
		looked = append(looked, codes...)
		running.Go(func() {
			found := check.run(ctx, codes)
			mu.Lock()
			defer mu.Unlock()
			findings = append(findings, found...)
		})
	}
	running.Wait()
	for i := range findings {
		findings[i].Daemon = cmp.Or(findings[i].Daemon, daemon)
	}
	Sort(findings)
	return findings, looked
}

func (c *Check) run(ctx context.Context, codes []Code) []Finding {
	most := cmp.Or(c.Most, checkMost)
	limited, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	start := time.Now()
	found := c.Look(limited)
	took := time.Since(start)
	found = slices.DeleteFunc(found, func(f Finding) bool { return !slices.Contains(codes, f.Code) })
	for i := range found {
		found[i].TookMS, found[i].At = int32(took.Milliseconds()), start.UTC()
	}
	return found
}

// Sort brings findings into the order in which they are shown.
func Sort(findings []Finding) {
	slices.SortStableFunc(findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Code.place(), b.Code.place()), cmp.Compare(a.Daemon, b.Daemon), cmp.Compare(a.Subject, b.Subject))
	})
}
