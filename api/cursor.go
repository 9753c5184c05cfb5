package api

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"time"

	"github.com/google/uuid"
)

// cursor is the last line of a page. Callers see it as one opaque word.
type cursor struct {
	at time.Time
	id uuid.UUID
}

// cursorBytes are the microseconds, which is what Postgres keeps, and the id.
const cursorBytes = 8 + 16

// String is the word for callers.
func (c cursor) String() string {
	raw := binary.BigEndian.AppendUint64(nil, uint64(c.at.UnixMicro()))
	return base64.RawURLEncoding.EncodeToString(append(raw, c.id[:]...))
}

func parseCursor(word string) (cursor, error) {
	raw, err := base64.RawURLEncoding.DecodeString(word)
	if err != nil || len(raw) != cursorBytes {
		return cursor{}, errors.New("no cursor")
	}
	at := int64(binary.BigEndian.Uint64(raw))
	return cursor{at: time.UnixMicro(at).UTC(), id: uuid.UUID(raw[8:])}, nil
}
