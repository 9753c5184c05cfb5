package main

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"
)

// cutOff is how long a host is cut off: longer than its lease, which it loses with Postgres
// alone, and shorter than what a silent Mist is waited for.
const cutOff = 40 * time.Second

// leaseLength is what a host's last renewal is good for. Behind it another host may
// begin, and nothing of its transcodes may run there any more.
const leaseLength = 20 * time.Second

// networkFaults cut one host off from one thing that it depends on.
func networkFaults() []*fault {
	cut := func(name string, gates func(*round) []*gate, how func(*gate), allowed repeats, leased bool) *fault {
		return &fault{
			name: name, slow: true, within: elsewhere, repeats: allowed,
			strike: func(ctx context.Context, r *round) error {
				host, pid, err := r.running(ctx)
				if err != nil {
					return err
				}
				gate := gates(r)[host]
				how(gate)
				healed := time.Now().Add(cutOff)
				if leased {
					err = r.letsGo(ctx, pid)
				}
				return errors.Join(err, pause(ctx, time.Until(healed)), gate.heal(ctx))
			},
		}
	}
	postgres := func(r *round) []*gate { return r.toPostgres }
	mist := func(r *round) []*gate { return r.toMist }
	s3 := func(r *round) []*gate { return r.toS3 }
	return []*fault{
		cut("host cut off from Postgres, refused", postgres, (*gate).refuse, hostMore, true),
		cut("host cut off from Postgres, silent", postgres, (*gate).freeze, hostMore, true),
		cut("host cut off from Mist, refused", mist, (*gate).refuse, hostMore, false),
		cut("host cut off from Mist, silent", mist, (*gate).freeze, hostMore, false),
		cut("host cut off from S3, refused", s3, (*gate).refuse, nothing, false),
		cut("host cut off from S3, silent", s3, (*gate).freeze, nothing, false),
	}
}

// letsGo has a process hang, and fails unless its host, cut off just now, has ended
// it before its lease does.
func (r *round) letsGo(ctx context.Context, pid int) error {
	if err := kill(pid, syscall.SIGSTOP); err != nil {
		return err
	}
	over := time.Now().Add(leaseLength)
	waiting, cancel := context.WithDeadlineCause(ctx, over, fmt.Errorf("the lease of %s is over", leaseLength))
	defer cancel()
	err := until(waiting, "the cut off host to end its process", func(context.Context) (bool, error) {
		return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH), nil
	})
	return errors.Join(err, pause(ctx, time.Until(over)))
}
