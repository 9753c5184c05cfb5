package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path"
	"strconv"

	"golang.org/x/sync/errgroup"

	"weir/api/events"
	"weir/config/buildinfo"
	"weir/db/dbsqlc"
	"weir/engine"
	"weir/jobs"
	"weir/jobs/host"
	"weir/jobs/tenants"
	"weir/secret"
	"weir/storage"
	"weir/web"
	"weir/web/login"
)

// listenPages listens for the operators' browsers; nil: no pages are asked for.
func (d *daemon) listenPages(ctx context.Context) (net.Listener, error) {
	if !d.cfg.Control || d.cfg.WebListen == "" {
		return nil, nil
	}
	on, err := new(net.ListenConfig).Listen(ctx, "tcp", d.cfg.WebListen)
	if err != nil {
		return nil, fmt.Errorf("WEIR_WEB_LISTEN: %w: give a free address", err)
	}
	return on, nil
}

func (d *daemon) startPages(ctx context.Context, group *errgroup.Group, on net.Listener, hub *events.Hub) error {
	if on == nil {
		return nil
	}
	users, err := login.ParseUsers(string(d.cfg.WebUsers))
	if err != nil {
		return err
	}
	proxy, err := login.ParseProxy(d.cfg.WebHeader, d.cfg.WebProxies)
	if err != nil {
		return err
	}
	cfg := d.storage()
	cfg.StallTimeout, cfg.MaxAttempts = previewStall, previewAttempts // a person waits
	objects, err := storage.New(cfg)
	if err != nil {
		return err
	}
	pages, err := web.New(&web.Config{
		DB: d.pool, Transcodes: d.transcodes, River: d.client, Events: hub, Users: users, Proxy: proxy, URL: d.cfg.WebURL,
		Objects: &stored{objects, &tenants.Stores{DB: d.pool, Sealer: d.sealer}, d.sealer}, Version: buildinfo.Version(), Log: d.log,
	})
	if err != nil {
		return err
	}
	group.Go(func() error { return pages.Serve(ctx, on) })
	return nil
}

// stored reads what transcodes have stored, for the pages' players.
type stored struct {
	objects *storage.Client
	stores  *tenants.Stores
	sealer  *secret.Sealer
}

var _ web.Objects = (*stored)(nil)

// Read implements web.Objects.
func (s *stored) Read(ctx context.Context, t *dbsqlc.Transcode, of *web.Object, byteRange string) (*web.Stored, error) {
	column, value := jobs.SealedOutput, t.OutputSealed
	if of.Output != nil {
		column, value = jobs.SealedOutputOf(of.Output.Ordinal), of.Output.Sealed
	}
	text, err := column.Open(s.sealer, t.ID, value)
	if err != nil {
		return nil, err
	}
	place, err := storage.ParseLocation(text)
	if err != nil {
		return nil, err
	}
	// What was written there is read: no other right of the store's is needed.
	if place, err = host.Lead(ctx, s.stores, t.Tenant, place, tenants.Write); err != nil {
		return nil, err
	}
	if of.Output != nil {
		place = place.Join(path.Clean("/" + of.Path)[1:])
	} else {
		place = place.Join(t.ID.String(), strconv.Itoa(int(of.Rendition.Attempt)), engine.File(of.Rendition.Name))
	}
	part, err := s.objects.Read(ctx, place, byteRange)
	var failed *storage.Error
	switch {
	case errors.As(err, &failed) && failed.Code == storage.CodeObjectMissing:
		return nil, fmt.Errorf("%w: %w", web.ErrNoObject, err)
	case errors.As(err, &failed) && failed.Code == storage.CodeSourceChanged: // no version was asked for, so it is the range
		return nil, fmt.Errorf("%w: %w", web.ErrNoRange, err)
	case err != nil:
		return nil, err
	}
	return &web.Stored{Body: part.Body, Length: part.Length, Range: part.Range}, nil
}
