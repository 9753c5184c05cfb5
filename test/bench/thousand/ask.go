package thousand

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"weir/jobs"
)

// askers ask for transcodes at once.
const askers = 16

// accept asks for a transcode whose source is in a folder. Who asks again gets the same one.
func (f *fleet) accept(ctx context.Context, folder string) error {
	n := f.asked.Add(1)
	source, output := fmt.Sprintf("s3+http://K:S@127.0.0.1:9/bench/%s%d.mp4", folder, n), fmt.Sprintf("s3+http://K:S@127.0.0.1:9/bench/out/%d", n)
	req := &jobs.Request{
		Tenant: "studio", ExternalID: strconv.FormatInt(n, 10), Form: jobs.FormV1, SourceURL: source, SourceShown: "s3+http://127.0.0.1:9/bench/" + folder,
		OutputURL: output, OutputShown: "s3+http://127.0.0.1:9/bench/out", CallbackURL: f.web.URL, CallbackShown: f.web.URL,
		Shown: json.RawMessage(`{}`), Body: []byte(source),
		Profiles: []jobs.Profile{
			{Name: "720p", Width: 1280, Height: 720, Bitrate: 3_000_000}, {Name: "480p", Width: 854, Height: 480, Bitrate: 1_500_000},
			{Name: "360p", Width: 640, Height: 360, Bitrate: 800_000},
		},
	}
	for began := time.Now(); ; {
		_, _, err := f.transcodes.Accept(ctx, req)
		if err == nil || time.Since(began) > waitMost {
			return err
		}
		if err := pauseFor(ctx, lookEvery); err != nil { // Postgres is away
			return err
		}
	}
}

func (f *fleet) acceptMany(ctx context.Context, folder string, n int) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(askers)
	for range n {
		group.Go(func() error { return f.accept(ctx, folder) })
	}
	return group.Wait()
}

// stream has requests come at even times.
func (f *fleet) stream(ctx context.Context, folder string, rate int, lasting time.Duration) error {
	group, ctx := errgroup.WithContext(ctx)
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	for range int(lasting.Seconds()) * rate {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), group.Wait())
		}
		group.Go(func() error { return f.accept(ctx, folder) })
	}
	return group.Wait()
}
