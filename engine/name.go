package engine

import (
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

// ErrName is the error of a text that is no [Name].
var ErrName = errors.New("not the name of an attempt")

// Name is one attempt of one transcode: what an Engine has of it bears it.
type Name struct {
	Transcode uuid.UUID
	Attempt   int
}

// String is <32 hex>_<attempt>, which names the attempt's folder in the spool too. It
// holds lower-case letters, digits and _ only: Mist lowers the rest or drops it.
func (n Name) String() string {
	return hex.EncodeToString(n.Transcode[:]) + "_" + strconv.Itoa(n.Attempt)
}

// ParseName reads what String wrote, exactly so. Anything else is ErrName.
func ParseName(s string) (Name, error) {
	id, attempt, _ := strings.Cut(s, "_")
	raw, err := hex.DecodeString(id)
	if err != nil || len(raw) != len(uuid.UUID{}) {
		return Name{}, fmt.Errorf("%q: %w", s, ErrName)
	}
	n, err := strconv.ParseUint(attempt, 10, 31)
	if err != nil {
		return Name{}, fmt.Errorf("%q: %w", s, ErrName)
	}
	name := Name{Transcode: uuid.UUID(raw), Attempt: int(n)}
	if name.String() != s { // capitals, leading zeros, signs
		return Name{}, fmt.Errorf("%q: %w", s, ErrName)
	}
	return name, nil
}

// ext is what renditions are files of. Engines write by it.
const ext = ".ts"

// ContentType is that of a rendition.
const ContentType = "video/mp2t"

// File is a rendition's file.
func File(rendition string) string { return rendition + ext }

// RenditionOf is the rendition that a file is of, by its name; false: it is of none.
func RenditionOf(path string) (rendition string, ok bool) {
	rendition, ok = strings.CutSuffix(filepath.Base(path), ext)
	return rendition, ok && rendition != ""
}
