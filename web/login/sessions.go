package login

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"weir/db/dbsqlc"
)

const (
	// idle is how long a session lasts without use: a shift.
	idle = 12 * time.Hour
	// longest is how long it lasts with use.
	longest = 7 * 24 * time.Hour
	// noteEvery is how exactly its last use is known: not each request writes.
	noteEvery = time.Minute
	idBytes   = 32
)

// Sessions are the logins that have not ended.
type Sessions struct {
	DB    dbsqlc.DBTX
	Users *Users
}

// Begin logs a user in and returns the session's id, which is for its browser alone.
func (s *Sessions) Begin(ctx context.Context, user *User) (id string, err error) {
	raw := make([]byte, idBytes)
	_, _ = rand.Read(raw) // never fails, see crypto/rand
	id = base64.RawURLEncoding.EncodeToString(raw)
	q := dbsqlc.New()
	if err := q.WebSessionPrune(ctx, s.DB, dbsqlc.WebSessionPruneParams{
		LongestSeconds: longest.Seconds(), UserName: user.Name, Setting: user.Setting[:],
	}); err != nil {
		return "", fmt.Errorf("remove sessions that ended: %w", err)
	}
	if err := q.WebSessionInsert(ctx, s.DB, dbsqlc.WebSessionInsertParams{
		IDHash: hashOf(id), UserName: user.Name, Setting: user.Setting[:], IdleSeconds: idle.Seconds(),
	}); err != nil {
		return "", fmt.Errorf("begin a session of %s: %w", user.Name, err)
	}
	return id, nil
}

// Of is whose session it is; nil: it has ended, or its user's setting is another now.
func (s *Sessions) Of(ctx context.Context, id string) (*User, error) {
	q := dbsqlc.New()
	row, err := q.WebSessionGet(ctx, s.DB, dbsqlc.WebSessionGetParams{
		IDHash: hashOf(id), NoteSeconds: noteEvery.Seconds(), LongestSeconds: longest.Seconds(),
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for a session: %w", err)
	}
	user := s.Users.Named(row.UserName)
	if user == nil || string(user.Setting[:]) != string(row.Setting) {
		return nil, nil
	}
	if row.Stale {
		if err := q.WebSessionSlide(ctx, s.DB, dbsqlc.WebSessionSlideParams{IDHash: hashOf(id), IdleSeconds: idle.Seconds()}); err != nil {
			return nil, fmt.Errorf("keep the session of %s: %w", user.Name, err)
		}
	}
	return user, nil
}

// End logs out.
func (s *Sessions) End(ctx context.Context, id string) error {
	if err := dbsqlc.New().WebSessionEnd(ctx, s.DB, hashOf(id)); err != nil {
		return fmt.Errorf("end a session: %w", err)
	}
	return nil
}

func hashOf(id string) []byte {
	sum := sha256.Sum256([]byte(id))
	return sum[:]
}
