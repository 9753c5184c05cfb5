package receivers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"weir/db/dbsqlc"
	"weir/jobs"
)

// EventTypes are what may be subscribed to.
func EventTypes() []string {
	return []string{
		"transcode.queued", "transcode.placed", "transcode.started", "transcode.storing", "transcode.succeeded",
		"transcode.failed", "transcode.cancelled", "transcode.retried",
		"rendition.pushed", "rendition.ready", "rendition.failed", "output.ready",
	}
}

// event is the message of one, in the form that Standard Webhooks recommends. The order
// of the fields is the order on the wire.
type event struct {
	Type string    `json:"type"`
	At   time.Time `json:"timestamp"`
	// ID is the same in every delivery.
	ID   uuid.UUID `json:"event_id"`
	Data eventData `json:"data"`
}

// eventData is what happened, by the words of the event stream.
type eventData struct {
	// Sequence is the event's id in the stream: it grows.
	Sequence  int64           `json:"id"`
	Transcode eventTranscode  `json:"transcode"`
	Rendition *string         `json:"rendition,omitempty"`
	Output    *string         `json:"output,omitempty"`
	Error     *eventError     `json:"error,omitempty"`
	Metadata  json.RawMessage `json:"metadata,omitempty"`
	Labels    json.RawMessage `json:"labels,omitempty"`
}

// eventTranscode is the transcode as it was then.
type eventTranscode struct {
	ID         uuid.UUID `json:"id"`
	ExternalID *string   `json:"external_id"`
	Tenant     string    `json:"tenant"`
	State      string    `json:"state"`
	Ratio      float64   `json:"ratio"`
	Run        int32     `json:"run"`
	Attempt    int32     `json:"attempt"`
	Host       *string   `json:"host"`
}

type eventError struct {
	Code      string `json:"code"`
	Stage     string `json:"stage"`
	Blame     string `json:"blame"`
	Retriable bool   `json:"retriable"`
	Message   string `json:"message"`
}

// EventBody is what a subscriber gets: made of rows that never change, and so the same
// bytes in every delivery.
func EventBody(id uuid.UUID, content *dbsqlc.EventDeliveryContentRow) ([]byte, error) {
	e := &content.Event
	message := event{Type: e.Type, At: e.CreatedAt.UTC(), ID: id, Data: eventData{
		Sequence: e.ID, Rendition: e.Rendition, Output: e.Output, Metadata: unlessEmpty(content.Metadata), Labels: unlessEmpty(content.Labels),
		Transcode: eventTranscode{
			ID: e.TranscodeID, ExternalID: e.ExternalID, Tenant: e.Tenant, State: e.State, Ratio: e.Ratio,
			Run: e.Run, Attempt: e.Attempt, Host: e.HostID,
		},
	}}
	if e.ErrorCode != nil {
		kind := jobs.KindOf(*e.ErrorCode)
		message.Data.Error = &eventError{Code: *e.ErrorCode, Blame: string(kind.Blame), Retriable: kind.Retriable, Message: kind.Words}
		if e.ErrorStage != nil {
			message.Data.Error.Stage = *e.ErrorStage
		}
	}
	body, err := json.Marshal(message)
	if err != nil {
		return nil, fmt.Errorf("write event %d of %s: %w", e.ID, e.TranscodeID, err)
	}
	return body, nil
}

// unlessEmpty is an object, or nil where nothing is in it.
func unlessEmpty(object json.RawMessage) json.RawMessage {
	if bytes.Equal(object, []byte("{}")) {
		return nil
	}
	return object
}
