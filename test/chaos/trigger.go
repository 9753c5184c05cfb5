package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"weir/internal/mistsim"
	"weir/mist"
)

// triggerFaults make liars of Mist's triggers, from before the load to its end: what
// they cost is in the time.
func triggerFaults() []*fault {
	all := func(name, faults string, short bool) *fault {
		return &fault{
			name: name, short: short, within: soon, repeats: nothing,
			before: func(ctx context.Context, r *round) error { return r.mistFaults(ctx, faults) },
			strike: func(context.Context, *round) error { return nil },
		}
	}
	return []*fault{
		all("all triggers lost", `{"lose_triggers":["*"]}`, true),
		all("all triggers doubled", `{"double_triggers":true}`, false),
		all("all triggers 5 s late", `{"delay_triggers_ms":5000}`, false),
		all("triggers in another order", `{"reorder_triggers":true}`, false),
		{
			name: "forged triggers", slow: true, within: anew, repeats: nothing,
			strike: func(ctx context.Context, r *round) error { return r.forge(ctx) },
		},
	}
}

func (r *round) mistFaults(ctx context.Context, faults string) error {
	for _, host := range r.Hosts {
		if err := host.Faults(ctx, faults); err != nil {
			return err
		}
	}
	return nil
}

// pushed is a rendition that is being pushed on a host.
type pushed struct {
	ID, Host, Name string
	Attempt        int
}

// forge tells every host lies about all that is being pushed anywhere: tracks that
// are not there, ends that did not come.
func (r *round) forge(ctx context.Context) error {
	if _, _, err := r.pushing(ctx); err != nil {
		return err
	}
	found, err := rows[pushed](ctx, r.suite, `SELECT t.id::text, t.host_id, r.name, t.attempt FROM weir.renditions r
		JOIN weir.transcodes t ON t.id = r.transcode_id WHERE t.external_id LIKE $1 || '-%' AND r.state = 'pushing'`, r.key)
	if err != nil {
		return err
	}
	for _, p := range found {
		for _, forgery := range r.forgeries(p) {
			text, err := json.Marshal(forgery)
			if err != nil {
				return fmt.Errorf("forge: %w", err)
			}
			for _, host := range r.Hosts {
				if err := host.Forge(ctx, string(text)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (r *round) forgeries(p pushed) []mistsim.Forgery {
	name, err := mist.ParseName(strings.ReplaceAll(p.ID, "-", "") + "_" + strconv.Itoa(p.Attempt))
	if err != nil {
		return nil // not so: it is made of what the rows say
	}
	stream := name.Rendition()
	target := filepath.Join(r.Daemons[hostOf(p.Host)].Spool, name.String(), p.Name+".ts")
	body := func(lines ...string) string { return strings.Join(lines, "\n") }
	return []mistsim.Forgery{
		{Trigger: "LIVE_TRACK_LIST", Stream: stream, Body: body(stream,
			`{"video_H264_160x96_30fps_0":{"codec":"H264","idx":7,"trackid":2,"type":"video","width":160,"height":96}}`)},
		{Trigger: "LIVE_TRACK_LIST", Stream: stream, Body: body(stream, "null")},
		{Trigger: "PUSH_END", Stream: stream, Body: body("1", stream, target, target, "[]", "null")},
		{Trigger: "RECORDING_END", Stream: stream, Body: body(stream, target, "HTTPTS", "188", "1", "1", "2", "1000", "0", "1000", "CLEAN_EOF", "forged")},
	}
}

// hostID is the name of a stack's host, from 0.
func hostID(host int) string { return "host-" + strconv.Itoa(host+1) }

// hostOf is the host of that name.
func hostOf(id string) int {
	host := 0
	for hostID(host) != id {
		host++
	}
	return host
}
