// Package receivers is what is kept for those who are told of transcodes: what they
// subscribed to, and the secrets that sign what they get. It is rows alone.
package receivers

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"weir/db/dbsqlc"
	"weir/jobs"
	"weir/secret"
)

// What the operations on secrets answer with; test by errors.Is.
var (
	ErrNoSecret    = errors.New("the tenant has no such secret")
	ErrSecretsFull = errors.New("the tenant has two secrets, which is the most: remove the older one, once its receivers know the newer")
	ErrSecretBad   = errors.New("is no secret to sign with")
)

const (
	// MinSecret keeps guesses out, and MaxSecret is far above what anybody makes.
	MinSecret, MaxSecret = 16, 256
	// secretPrefix begins what Standard Webhooks writes in base64; 24 to 64 bytes by its
	// specification.
	secretPrefix             = "whsec_"
	minKeyBytes, maxKeyBytes = 24, 64
	// newKeyBytes is HMAC-SHA256's own size.
	newKeyBytes = 32
)

// Secrets are the operations on tenants' secrets.
type Secrets struct {
	DB     dbsqlc.DBTX
	Sealer *secret.Sealer
}

// Shown is what may be seen of a secret.
type Shown struct {
	ID        uuid.UUID
	Tenant    string
	CreatedAt time.Time
}

// CheckSecret is an ErrSecretBad that says how to write one; it repeats nothing of text.
func CheckSecret(text secret.Secret) error {
	raw := string(text)
	coded, standard := strings.CutPrefix(raw, secretPrefix)
	key, err := base64.StdEncoding.DecodeString(coded)
	switch {
	case len(raw) < MinSecret || len(raw) > MaxSecret:
		return fmt.Errorf("%w: it must have %d to %d characters", ErrSecretBad, MinSecret, MaxSecret)
	case strings.ContainsFunc(raw, func(r rune) bool { return !unicode.IsGraphic(r) || unicode.IsSpace(r) }):
		return fmt.Errorf("%w: it holds a space, or what can't be printed", ErrSecretBad)
	case standard && (err != nil || len(key) < minKeyBytes || len(key) > maxKeyBytes):
		return fmt.Errorf("%w: behind %s there must be %d to %d bytes in base64", ErrSecretBad, secretPrefix, minKeyBytes, maxKeyBytes)
	}
	return nil
}

// NewSecret makes one.
func NewSecret() secret.Secret {
	key := make([]byte, newKeyBytes)
	_, _ = rand.Read(key) // never fails
	return secret.Secret(secretPrefix + base64.StdEncoding.EncodeToString(key))
}

// Add has a tenant's messages signed with this secret too, from now on. ErrSecretsFull:
// it has two.
func (s *Secrets) Add(ctx context.Context, tenant string, text secret.Secret) (Shown, error) {
	if err := CheckSecret(text); err != nil {
		return Shown{}, fmt.Errorf("add a secret to tenant %s: %w", tenant, err)
	}
	id, err := uuid.NewV7()
	if err != nil {
		return Shown{}, fmt.Errorf("make an id: %w", err)
	}
	row, err := dbsqlc.New().CallbackSecretInsert(ctx, s.DB, dbsqlc.CallbackSecretInsertParams{
		ID: id, Tenant: tenant, Sealed: s.Sealer.Seal([]byte(text), jobs.TenantSecretContext(tenant, id.String())),
	})
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrSecretsFull
	}
	if err != nil {
		return Shown{}, fmt.Errorf("add a secret to tenant %s: %w", tenant, err)
	}
	return shown(&row), nil
}

// List says which secrets a tenant has, the older one first.
func (s *Secrets) List(ctx context.Context, tenant string) ([]Shown, error) {
	rows, err := dbsqlc.New().CallbackSecretList(ctx, s.DB, tenant)
	if err != nil {
		return nil, fmt.Errorf("list the secrets of tenant %s: %w", tenant, err)
	}
	list := make([]Shown, len(rows))
	for i := range rows {
		list[i] = shown(&rows[i])
	}
	return list, nil
}

// Remove has a tenant's messages signed with this secret no more.
func (s *Secrets) Remove(ctx context.Context, tenant string, id uuid.UUID) error {
	n, err := dbsqlc.New().CallbackSecretDelete(ctx, s.DB, dbsqlc.CallbackSecretDeleteParams{Tenant: tenant, ID: id})
	if err == nil && n == 0 {
		err = ErrNoSecret
	}
	if err != nil {
		return fmt.Errorf("remove secret %s of tenant %s: %w", id, tenant, err)
	}
	return nil
}

// Of are the secrets that sign what is told of a transcode: the request's own, else its
// tenant's, else none, which is the daemon's.
func (s *Secrets) Of(ctx context.Context, transcode uuid.UUID, tenant string, own []byte) ([]secret.Secret, error) {
	if own != nil {
		text, err := jobs.SealedCallbackSecret.Open(s.Sealer, transcode, own)
		return []secret.Secret{secret.Secret(text)}, err
	}
	rows, err := dbsqlc.New().CallbackSecretList(ctx, s.DB, tenant)
	if err != nil {
		return nil, fmt.Errorf("read the secrets of tenant %s: %w", tenant, err)
	}
	secrets := make([]secret.Secret, len(rows))
	for i, row := range rows {
		text, err := s.Sealer.Open(row.Sealed, jobs.TenantSecretContext(tenant, row.ID.String()))
		if err != nil {
			return nil, fmt.Errorf("open secret %s of tenant %s: %w", row.ID, tenant,
				errors.Join(jobs.Failed(jobs.CodeSecretUnreadable, jobs.StageQueue, err.Error()), err))
		}
		secrets[i] = secret.Secret(text)
	}
	return secrets, nil
}

func shown(row *dbsqlc.CallbackSecret) Shown {
	return Shown{ID: row.ID, Tenant: row.Tenant, CreatedAt: row.CreatedAt}
}
