package triggers

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

const (
	// keptBytes of a payload are read and understood: far above every trigger but one
	// that carries a whole segment, of which nobody reads more.
	keptBytes = 1 << 20
	// storedBytes of it go into the database, which takes no more: several times the
	// longest list of tracks.
	storedBytes = 64 << 10
	// countedBytes of a payload are read to tell its size; a segment is smaller.
	countedBytes = 32 << 20
	// maxUUID keeps nonsense out of the unique index.
	maxUUID = 64
	// maxName of a trigger: Mist's are below 32.
	maxName = 64
	// maxHeaderValue of what is kept: Mist's are below 100.
	maxHeaderValue = 200
)

// post is a request as far as it is kept.
type post struct {
	trigger string
	uuid    *string
	headers json.RawMessage
	payload []byte
	size    int64
}

func (p *post) truncated() bool { return p.size > int64(len(p.payload)) }

// readPost reads a request to its end, or to countedBytes.
func readPost(r *http.Request) (*post, error) {
	body := io.LimitReader(r.Body, countedBytes)
	kept, err := io.ReadAll(io.LimitReader(body, keptBytes))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errCutOff, err)
	}
	rest, err := io.Copy(io.Discard, body)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errCutOff, err)
	}
	headers, err := keptHeaders(r.Header)
	if err != nil {
		return nil, err
	}
	p := &post{
		trigger: clean(r.Header.Get("X-Trigger"), maxName),
		headers: headers,
		payload: kept,
		size:    int64(len(kept)) + rest,
	}
	// Without one (Mists before 2023) an event may be recorded twice, which is
	// harmless: effects are.
	if id := r.Header.Get("X-Trigger-UUID"); id != "" && len(id) <= maxUUID {
		id = clean(id, maxUUID)
		p.uuid = &id
	}
	return p, nil
}

// keptHeaders are Mist's own and what tells its version. Cookie and Authorization
// are credentials of others.
func keptHeaders(h http.Header) (json.RawMessage, error) {
	kept := map[string]string{}
	for name := range h {
		if strings.HasPrefix(name, "X-") || name == "User-Agent" || name == "Date" {
			kept[clean(name, maxName)] = clean(h.Get(name), maxHeaderValue)
		}
	}
	text, err := json.Marshal(kept)
	if err != nil {
		return nil, fmt.Errorf("headers of a trigger: %w", err)
	}
	return text, nil
}
