package devstack

import (
	"errors"
	"slices"
	"sync"
)

// closers ends parts in the opposite order of their start.
type closers struct {
	once  sync.Once
	steps []func() error
	err   error
}

func (c *closers) add(step func() error) { c.steps = append(c.steps, step) }

// close runs every step, also after one that failed. Idempotent.
func (c *closers) close() error {
	c.once.Do(func() {
		var errs []error
		for _, step := range slices.Backward(c.steps) {
			errs = append(errs, step())
		}
		c.err = errors.Join(errs...)
	})
	return c.err
}
