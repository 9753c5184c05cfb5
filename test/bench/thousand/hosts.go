package thousand

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	loops "weir/internal/fleet"
	"weir/jobs"
	"weir/jobs/host"
	"weir/secret"
	"weir/test/bench/free"
	"weir/triggers"
)

const (
	// slots each host has.
	slots = 2
	// hostsBooting is how many of a process boot at once.
	hostsBooting = 8
)

// hostsSealer seals what is nobody's secret.
func hostsSealer() (*secret.Sealer, error) {
	return secret.NewSealer(secret.Key(bytes.Repeat([]byte{7}, 32))) //nolint:mnd // a key is as long
}

// boot starts a host, which ends with the process. One that can't is started again, as systemd
// does.
func boot(ctx context.Context, cfg *loops.Config, id string) error {
	for began := time.Now(); ; {
		_, err := cfg.Host(context.WithoutCancel(ctx), id)
		if err == nil || time.Since(began) > waitMost {
			return err
		}
		if err := pauseFor(ctx, lookEvery); err != nil {
			return err
		}
	}
}

// Be is a process of hosts: it runs until it is killed, or its input ends.
func Be(ctx context.Context, args []string) error {
	var first, count int
	var opens string
	cfg := &loops.Config{Database: secret.Secret(os.Getenv(databaseVariable)), Slots: slots, Log: slog.New(slog.DiscardHandler)}
	if _, err := fmt.Sscan(strings.Join(args, " "), &first, &count, &cfg.Polls, &cfg.Dir, &opens); err != nil {
		return fmt.Errorf("hosts want: FIRST COUNT POLLS FOLDER GATE: %w", err)
	}
	var err error
	if cfg.Sealer, err = hostsSealer(); err != nil {
		return err
	}
	cfg.Equip = func(h *host.Host) (jobs.Room, error) {
		listener, err := triggers.New(&triggers.Config{DB: h.DB, HostID: h.ID, Wake: h.Wakes.Wake, Spool: h.Spool})
		if err != nil {
			return nil, err
		}
		h.Engine = &free.Engine{
			Triggers: listener,
			// A trigger that Postgres was away for is lost, which is what it may be.
			Failed: func(error) {},
		}
		h.Media, h.Storage, h.Broadcasters = free.Media{}, heldStorage{gate: opens}, []string{"http://127.0.0.1:9"}
		h.TriggerURL = "http://127.0.0.1:9/" + h.ID
		return listener.Room, nil
	}
	seen := &counter{of: map[string]*counted{}}
	cfg.Trace = seen.trace
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(hostsBooting)
	for i := range count {
		group.Go(func() error {
			return boot(groupCtx, cfg, hostName(first+i))
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	fmt.Println("booted")
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		text, err := json.Marshal(seen.counts())
		if err != nil {
			return fmt.Errorf("tell what was asked: %w", err)
		}
		fmt.Println(string(text))
	}
	return nil
}
