package mist

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
)

// TriggerName is an event that Mist posts to us.
type TriggerName string

// The triggers that Weir listens to. None of them asks for an answer, so none
// can hold up or veto anything in Mist.
const (
	TriggerLiveTrackList   TriggerName = "LIVE_TRACK_LIST"
	TriggerPushEnd         TriggerName = "PUSH_END"
	TriggerRecordingEnd    TriggerName = "RECORDING_END"
	TriggerInputAbort      TriggerName = "INPUT_ABORT"
	TriggerSegmentRejected TriggerName = "LIVEPEER_SEGMENT_REJECTED"
)

// The sizes of Mist's trigger page: what is longer is cut off and never matches.
const (
	maxHandler     = 127 // bytes, without the closing zero of 128
	maxStreams     = 256 // bytes for all names of one entry
	streamsPerName = 4   // bytes that each name takes beside itself
)

const registerTriggers = "register triggers"

// HasTriggers says which of the named events Mist does not post to the handler's URL as
// RegisterTriggers wants it. It changes nothing.
func (c *Client) HasTriggers(ctx context.Context, handler string, names []TriggerName) (lacks []TriggerName, err error) {
	const op = "look for triggers"
	want, err := newRegistration(handler, names, nil)
	if err != nil {
		return nil, c.fail(op, ErrInvalid, err)
	}
	current, err := c.triggers(ctx)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		var entries []json.RawMessage
		if raw, is := current[string(name)]; is && json.Unmarshal(raw, &entries) != nil {
			entries = nil
		}
		if !slices.ContainsFunc(entries, func(entry json.RawMessage) bool {
			t, ours := want.ours(entry)
			return ours && t.Handler == handler && !t.Sync
		}) {
			lacks = append(lacks, name)
		}
	}
	return lacks, nil
}

// trigger is an entry in Mist's configuration.
type trigger struct {
	Handler string   `json:"handler"`
	Sync    bool     `json:"sync"`
	Streams []string `json:"streams"`
}

// RegisterTriggers makes Mist post the named events, of the given streams (a
// name, or what stands before the +; none means all), to the handler's URL. It
// says whether that changed anything; nothing is written when all is in place,
// because a write lets Mist lose the events of that moment.
//
// Mist keeps one list for everybody and replaces it whole, so the entries of
// others are read and written back as they are. Ours are known by the handler's
// path, which must therefore be one that only we use: its last part is who we are.
// Those under other trigger names or on another port are replaced, and so is what
// an earlier version of us, or one of another name, registered for our very address.
func (c *Client) RegisterTriggers(ctx context.Context, handler string, names []TriggerName, streams []string) (changed bool, err error) {
	want, err := newRegistration(handler, names, streams)
	if err != nil {
		return false, c.fail(registerTriggers, ErrInvalid, err)
	}
	current, err := c.triggers(ctx)
	if err != nil {
		return false, err
	}
	if want.in(current) {
		return false, nil
	}
	merged, err := want.mergedInto(current)
	if err != nil {
		return false, c.fail(registerTriggers, ErrInvalid, err)
	}
	if _, err := c.call(ctx, registerTriggers, command{"config": map[string]any{"triggers": merged}}); err != nil {
		return false, err
	}
	if current, err = c.triggers(ctx); err != nil {
		return false, err
	}
	if !want.in(current) {
		return false, c.fail(registerTriggers, ErrRefused, errors.New("they are not all there afterwards, somebody else may be writing them"))
	}
	return true, nil
}

// triggerList is Mist's configuration of triggers: entries by trigger name, as
// they were written by whomever.
type triggerList map[string]json.RawMessage

func (c *Client) triggers(ctx context.Context) (triggerList, error) {
	const op = "read triggers"
	r, err := c.call(ctx, op, command{"config": struct{}{}})
	if err != nil {
		return nil, err
	}
	var config struct {
		Triggers triggerList `json:"triggers"`
	}
	if err := c.decode(op, r, "config", &config); err != nil {
		return nil, err
	}
	return config.Triggers, nil
}

// registration is what one caller wants to be registered.
type registration struct {
	handler *url.URL
	names   []TriggerName
	entry   trigger
}

func newRegistration(handler string, names []TriggerName, streams []string) (*registration, error) {
	u, err := url.Parse(handler)
	if err != nil {
		return nil, fmt.Errorf("trigger handler: %w", err)
	}
	if u.Scheme != "http" || u.Host == "" || strings.Trim(u.Path, "/") == "" {
		return nil, fmt.Errorf("trigger handler %s: give an http URL with a path of its own", handler)
	}
	if len(handler) > maxHandler {
		return nil, fmt.Errorf("trigger handler %s: %d bytes long, Mist keeps %d", handler, len(handler), maxHandler)
	}
	for _, name := range names {
		switch name {
		case TriggerLiveTrackList, TriggerPushEnd, TriggerRecordingEnd, TriggerInputAbort, TriggerSegmentRejected:
		default: // registered without waiting for an answer, a vetoing one would deny everything
			return nil, fmt.Errorf("trigger %s: not one of those that Weir listens to", name)
		}
	}
	size := 0
	for _, stream := range streams {
		size += len(stream) + streamsPerName
	}
	if size > maxStreams {
		return nil, fmt.Errorf("trigger streams %s: %d bytes, Mist keeps %d", strings.Join(streams, ", "), size, maxStreams)
	}
	sorted := append([]string{}, streams...) // [] and not null in JSON
	slices.Sort(sorted)
	return &registration{
		handler: u,
		names:   names,
		entry:   trigger{Handler: handler, Streams: sorted},
	}, nil
}

// ours reads an entry if it is one of ours, of this run or an earlier one.
func (g *registration) ours(raw json.RawMessage) (trigger, bool) {
	var t trigger
	if err := json.Unmarshal(raw, &t); err != nil {
		return trigger{}, false // of another form, so somebody else's
	}
	u, err := url.Parse(t.Handler)
	if err != nil || u.Scheme != g.handler.Scheme || u.Hostname() != g.handler.Hostname() {
		return trigger{}, false
	}
	if u.Path == g.handler.Path {
		return t, true
	}
	// Nobody but us listens at our address.
	parent := path.Dir(g.handler.Path)
	return t, u.Host == g.handler.Host && parent != "/" && (u.Path == parent || path.Dir(u.Path) == parent)
}

// in tells whether exactly our wanted entries, and none of our stale ones, are in list.
func (g *registration) in(list triggerList) bool {
	found := map[TriggerName]bool{}
	for name, raw := range list {
		var entries []json.RawMessage
		if err := json.Unmarshal(raw, &entries); err != nil {
			continue
		}
		for _, entry := range entries {
			t, ok := g.ours(entry)
			if !ok {
				continue
			}
			slices.Sort(t.Streams)
			wanted := slices.Contains(g.names, TriggerName(name)) &&
				t.Handler == g.entry.Handler && !t.Sync && slices.Equal(t.Streams, g.entry.Streams)
			if !wanted || found[TriggerName(name)] {
				return false
			}
			found[TriggerName(name)] = true
		}
	}
	for _, name := range g.names {
		if !found[name] {
			return false
		}
	}
	return true
}

// mergedInto is list with our entries in place of our stale ones, and all else
// as it was.
func (g *registration) mergedInto(list triggerList) (triggerList, error) {
	merged := triggerList{}
	ours, err := encode(g.entry)
	if err != nil {
		return nil, fmt.Errorf("trigger entry: %w", err)
	}
	for name, raw := range list {
		var entries []json.RawMessage
		if err := json.Unmarshal(raw, &entries); err != nil {
			merged[name] = raw
			continue
		}
		kept := slices.DeleteFunc(entries, func(entry json.RawMessage) bool {
			_, ok := g.ours(entry)
			return ok
		})
		if len(kept) == 0 && len(entries) > 0 {
			continue
		}
		if merged[name], err = encode(kept); err != nil {
			return nil, fmt.Errorf("trigger %s: %w", name, err)
		}
	}
	for _, name := range g.names {
		var entries []json.RawMessage
		if raw, ok := merged[string(name)]; ok {
			if err := json.Unmarshal(raw, &entries); err != nil {
				return nil, fmt.Errorf("trigger %s: its entries are no list, mend Mist's config.triggers: %w", name, err)
			}
		}
		if merged[string(name)], err = encode(append(entries, ours)); err != nil {
			return nil, fmt.Errorf("trigger %s: %w", name, err)
		}
	}
	return merged, nil
}
