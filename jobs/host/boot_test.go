package host

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"weir/db/dbsqlc"
	"weir/engine"
	"weir/jobs/jobstest"
)

// stubEngine answers, or does not.
type stubEngine struct {
	Engine

	mu     sync.Mutex
	silent bool
}

var errSilent = errors.New("nobody answers")

func (e *stubEngine) fallSilent(silent bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.silent = silent
}

func (e *stubEngine) err() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.silent {
		return errSilent
	}
	return nil
}

func (e *stubEngine) Info(context.Context) (engine.Info, error) {
	return engine.Info{Version: "1", IID: "2"}, e.err()
}

func (e *stubEngine) Listen(context.Context, string) (bool, error) { return false, e.err() }

func (e *stubEngine) Look(context.Context, ...engine.Name) (engine.Look, error) {
	return engine.Look{}, e.err()
}

func (*stubEngine) Find() ([]engine.Found, error) { return nil, nil }

func booting(t *testing.T, b *jobstest.Bundle, e Engine) *Host {
	t.Helper()
	h := &Host{ID: "mist-9", BootID: uuid.New(), Slots: 2, DB: b.Pool, Log: jobstest.Silent(), Spool: t.TempDir(), Engine: e, Wakes: NewWakes()}
	t.Cleanup(h.Close)
	return h
}

func free(t *testing.T, b *jobstest.Bundle, host string) bool {
	t.Helper()
	hosts, err := dbsqlc.New().HostFree(t.Context(), b.Pool)
	require.NoError(t, err)
	for _, h := range hosts {
		if h.ID == host {
			return true
		}
	}
	return false
}

// A daemon lives without its Mist: it boots, and holds its lease; only nothing is placed
// there until Mist answers, and none any more when it falls silent.
func TestLivenessIsNotMists(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	e := &stubEngine{silent: true}
	h := booting(t, b, e)
	require.NoError(t, h.Boot(t.Context(), b.River))
	require.False(t, h.lease.ending())
	require.False(t, free(t, b, h.ID), "nothing could be transcoded")

	e.fallSilent(false)
	require.NoError(t, h.greet(t.Context()))
	require.NoError(t, h.renew(t.Context()))
	require.True(t, free(t, b, h.ID))

	e.fallSilent(true)
	require.Error(t, h.greet(t.Context()))
	b.Exec(t, "UPDATE weir.hosts SET lease_until = now() - interval '1 s' WHERE id = $1", h.ID)
	require.NoError(t, h.renew(t.Context()))
	require.False(t, free(t, b, h.ID))
	require.Equal(t, 1, b.Count(t, "SELECT count(*) FROM weir.hosts WHERE id = 'mist-9' AND lease_until > now() AND mist_silent_from IS NOT NULL"))

	l, err := h.look(t.Context())
	require.NoError(t, err, "what is not Mist's can be seen")
	require.ErrorIs(t, l.silent, errSilent)
}

// Two machines with one host id would kill each other's attempts: the second does not
// start while the first's lease runs. The same machine's next daemon does.
func TestSecondMachine(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	first, second := booting(t, b, &stubEngine{}), booting(t, b, &stubEngine{})
	require.NoError(t, first.Boot(t.Context(), b.River))
	require.ErrorIs(t, second.Boot(t.Context(), b.River), ErrHostTaken)
	require.NoError(t, first.renew(t.Context()), "the first does not feel it")

	again := booting(t, b, &stubEngine{})
	again.Spool = first.Spool
	require.NoError(t, again.Boot(t.Context(), b.River))
	require.ErrorIs(t, first.renew(t.Context()), ErrHostTaken)

	b.Exec(t, "UPDATE weir.hosts SET lease_until = now() - interval '1 s' WHERE id = 'mist-9'")
	require.NoError(t, second.Boot(t.Context(), b.River))
}

// A spool belongs to one database: on another all of its attempts would be nobody's.
func TestClaimSpool(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	h := booting(t, b, &stubEngine{})
	made, err := h.claimSpool(t.Context())
	require.NoError(t, err)
	again, err := h.claimSpool(t.Context())
	require.NoError(t, err)
	require.Equal(t, made, again)

	other := booting(t, jobstest.New(t), &stubEngine{})
	other.DB, other.Spool = b.Pool, h.Spool
	b.Exec(t, "UPDATE weir.identity SET id = gen_random_uuid()")
	_, err = other.claimSpool(t.Context())
	require.ErrorIs(t, err, ErrSpoolTaken)
	require.ErrorContains(t, err, filepath.Join(h.Spool, claimName))

	require.NoError(t, os.WriteFile(filepath.Join(h.Spool, claimName), []byte("?"), 0o600))
	_, err = other.claimSpool(t.Context())
	require.ErrorContains(t, err, "damaged")
}
