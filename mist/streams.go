package mist

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// renditionBuffer is how much of a rendition stream Mist keeps. It drops what
// is older, and a push that comes late needs the first frame, so it is longer
// than any source: a day.
const renditionBuffer = 24 * time.Hour

// Stream is a stream's configuration.
type Stream struct {
	// Source is a local file for a source stream, or "push://" for one that is fed.
	Source string `json:"source"`
	// BufferMS is how much of a fed stream is kept, in ms of media. 0 means Mist's default, 50 s.
	BufferMS int64 `json:"DVR,omitempty"`
}

// SourceStream is a stream that reads the local file at path.
func SourceStream(path string) Stream { return Stream{Source: path} }

// RenditionStream is the configuration behind [RenditionBase], shared by the
// rendition streams of all transcodes.
func RenditionStream() Stream {
	return Stream{Source: "push://", BufferMS: renditionBuffer.Milliseconds()}
}

// AddStreams adds or replaces streams by name; doing it again changes nothing.
// A stream that Mist did not take (a name it would write differently, a veto by
// someone's trigger) is ErrRefused.
func (c *Client) AddStreams(ctx context.Context, streams map[string]Stream) error {
	names := slices.Sorted(maps.Keys(streams))
	op := "add streams " + strings.Join(names, ", ")
	for _, name := range names {
		if err := checkVariables(streams[name].Source); err != nil {
			return c.fail(op, ErrInvalid, err)
		}
	}
	r, err := c.call(ctx, op, command{"addstream": streams})
	if err != nil {
		return err
	}
	configured, err := c.configured(op, r)
	if err != nil {
		return err
	}
	for _, name := range names {
		got, ok := configured[name]
		switch {
		case !ok:
			return c.fail(op, ErrRefused, fmt.Errorf("stream %s is not there afterwards", name))
		case got != streams[name].Source:
			return c.fail(op, ErrRefused, fmt.Errorf("stream %s has source %q instead of %q", name, got, streams[name].Source))
		}
	}
	return nil
}

// RemoveStreams takes the streams out of Mist's configuration and stops what
// runs of them. Streams that do not exist are fine. The stopping goes on in the
// background for some seconds ([Client.Status] shows when it is done); it ends
// pushes too, so they must be done before.
func (c *Client) RemoveStreams(ctx context.Context, names ...string) error {
	if len(names) == 0 {
		return nil
	}
	op := "remove streams " + strings.Join(names, ", ")
	for _, name := range names {
		// One nuke fits in a request, and Mist deletes before it nukes: the other
		// way round the input of a debug build would be taken for an always-on one.
		cmd := command{"nuke_stream": name}
		if !strings.Contains(name, "+") { // what has a + is never configured, only its base is
			cmd["deletestream"] = []string{name}
		}
		if _, err := c.call(ctx, op, cmd); err != nil {
			return err
		}
	}
	left, err := c.Streams(ctx)
	if err != nil {
		return err
	}
	for _, name := range names {
		if slices.Contains(left, name) {
			return c.fail(op, ErrRefused, fmt.Errorf("stream %s is still there afterwards", name))
		}
	}
	return nil
}

// Streams lists the configured streams, sorted. Rendition streams are not among
// them, only their base is.
//
// It asks the full API, whose answers hold the configuration: the command
// "streams" of the minimal one replaces it, and some versions take any value
// for an empty one and delete everything.
func (c *Client) Streams(ctx context.Context) ([]string, error) {
	const op = "list streams"
	r, err := c.send(ctx, c.fullURL, op, command{"api_endpoint": true})
	if err != nil {
		return nil, err
	}
	configured, err := c.configured(op, r)
	if err != nil {
		return nil, err
	}
	return slices.Sorted(maps.Keys(configured)), nil
}

// configured reads the streams of an answer: source by name.
func (c *Client) configured(op string, r reply) (map[string]string, error) {
	var raw map[string]json.RawMessage
	if err := c.decode(op, r, "streams", &raw); err != nil {
		return nil, err
	}
	sources := make(map[string]string, len(raw))
	for name, config := range raw {
		var s struct {
			Source string `json:"source"`
		}
		if err := json.Unmarshal(config, &s); err != nil {
			continue // no stream of ours: "incomplete list" is a mark among them, others may hold anything
		}
		sources[name] = s.Source
	}
	return sources, nil
}

// checkVariables refuses what Mist would replace: in sources and targets a $
// starts a variable.
func checkVariables(path string) error {
	if strings.Contains(path, "$") {
		return fmt.Errorf("%q holds a $, which starts a variable in Mist: choose a folder without one", path)
	}
	return nil
}
