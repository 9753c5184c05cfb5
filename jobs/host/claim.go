package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/uuid"

	"weir/db/dbsqlc"
)

// claimName is the file in a spool that says whose it is.
const claimName = ".weir-spool.json"

// ErrSpoolTaken: the spool belongs to another database, whose attempts' files and processes
// would be taken for nobody's.
var ErrSpoolTaken = errors.New("the spool belongs to another database")

// A claim is what a spool says of itself.
type claim struct {
	// Spool tells this machine's spool from every other: two machines with one host id
	// would kill each other's attempts.
	Spool uuid.UUID `json:"spool"`
	// Database is the one whose attempts lie here.
	Database uuid.UUID `json:"database"`
}

// claimSpool makes the spool this database's, unless it is another's, and returns its id.
func (h *Host) claimSpool(ctx context.Context) (uuid.UUID, error) {
	database, err := dbsqlc.New().IdentityGet(ctx, h.DB)
	if err != nil {
		return uuid.Nil, fmt.Errorf("ask which database this is: %w", err)
	}
	path := filepath.Join(h.Spool, claimName)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		made := claim{Spool: uuid.New(), Database: database}
		return made.Spool, made.save(path)
	}
	if err != nil {
		return uuid.Nil, fmt.Errorf("read whose spool it is: %w", err)
	}
	var found claim
	if err := json.Unmarshal(text, &found); err != nil || found.Spool == uuid.Nil {
		return uuid.Nil, fmt.Errorf("read whose spool it is: %s is damaged: remove it if no other database uses the spool", path)
	}
	if found.Database != database {
		return uuid.Nil, fmt.Errorf("%w: give this one a folder of its own in WEIR_SPOOL_DIR, or remove %s if that database is gone", ErrSpoolTaken, path)
	}
	return found.Spool, nil
}

// save writes it whole, or not at all.
func (c *claim) save(path string) error {
	text, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("claim the spool: %w", err)
	}
	part := path + ".part"
	if err := os.WriteFile(part, text, claimMode); err != nil {
		return fmt.Errorf("claim the spool: %w", err)
	}
	if err := os.Rename(part, path); err != nil {
		return fmt.Errorf("claim the spool: %w", err)
	}
	return nil
}

// claimMode: it is no secret, and for one writer.
const claimMode = 0o644
