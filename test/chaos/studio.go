package main

import (
	"context"
	"errors"
	"net/http"
	"time"

	"weir/internal/devstack"
)

const (
	// studioAway is how long Studio is down.
	studioAway = time.Minute
	// studioTimes is how many callbacks meet an answer that is no success.
	studioTimes = 6
	// studioSlow is how late Studio answers: longer than the 10 s that a delivery waits.
	studioSlow = 20 * time.Second
	// told is when a callback is there that has to wait out its retries: they double
	// up to a minute or two.
	told = 3 * time.Minute
)

// studioFaults are about the receiver of the callbacks. None costs any work.
func studioFaults() []*fault {
	return []*fault{
		{
			name: "Studio refuses connections for " + studioAway.String(), within: told, repeats: nothing,
			strike: func(ctx context.Context, r *round) error {
				r.toStudio.refuse()
				return errors.Join(pause(ctx, studioAway), r.toStudio.heal(ctx))
			},
		},
		{
			name: "Studio answers 500 after reading", within: told, repeats: nothing,
			strike: func(_ context.Context, r *round) error {
				r.studio.SetMode(devstack.Mode{Status: http.StatusInternalServerError, Times: studioTimes + flight})
				return nil
			},
		},
		{
			name: "Studio resets the connection after reading", within: told, repeats: nothing,
			strike: func(_ context.Context, r *round) error {
				r.studio.SetMode(devstack.Mode{Reset: true, Times: studioTimes + flight})
				return nil
			},
		},
		{
			name: "Studio answers " + studioSlow.String() + " late", within: told, repeats: nothing,
			strike: func(_ context.Context, r *round) error {
				r.studio.SetMode(devstack.Mode{Delay: studioSlow, Times: studioTimes})
				return nil
			},
		},
	}
}
