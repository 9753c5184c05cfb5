package mist

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

// RenditionBase is the configured stream behind every rendition stream: Mist
// looks a stream up by what stands before its +.
const RenditionBase = "tr_rend_"

const (
	sourcePrefix    = "tr_src_"
	renditionPrefix = RenditionBase + "+"
)

// ErrName is the error of a stream name that is not one of ours.
var ErrName = errors.New("not the name of a transcode's stream")

// Name ties what runs in Mist to one attempt of one transcode. Its forms hold
// lower-case letters, digits and _ only: Mist lowers the rest or drops it.
type Name struct {
	Transcode uuid.UUID
	Attempt   int
}

// String is <32 hex>_<attempt>, which names the attempt's spool folder too.
func (n Name) String() string {
	return hex.EncodeToString(n.Transcode[:]) + "_" + strconv.Itoa(n.Attempt)
}

// Source is the name of the stream that reads the source: tr_src_<32 hex>_<attempt>.
func (n Name) Source() string { return sourcePrefix + n.String() }

// Rendition is the name of the stream that holds the renditions: tr_rend_+<32 hex>_<attempt>.
func (n Name) Rendition() string { return renditionPrefix + n.String() }

// ParseName reads any of the three forms, exactly as they are written here.
// Anything else is ErrName.
func ParseName(s string) (Name, error) {
	rest := s
	for _, prefix := range []string{sourcePrefix, renditionPrefix} {
		if after, ok := strings.CutPrefix(s, prefix); ok {
			rest = after
			break
		}
	}
	id, attempt, _ := strings.Cut(rest, "_")
	raw, err := hex.DecodeString(id)
	if err != nil || len(raw) != len(uuid.UUID{}) {
		return Name{}, fmt.Errorf("mist: %q: %w", s, ErrName)
	}
	n, err := strconv.ParseUint(attempt, 10, 31)
	if err != nil {
		return Name{}, fmt.Errorf("mist: %q: %w", s, ErrName)
	}
	name := Name{Transcode: uuid.UUID(raw), Attempt: int(n)}
	if name.String() != rest { // capitals, leading zeros, signs
		return Name{}, fmt.Errorf("mist: %q: %w", s, ErrName)
	}
	return name, nil
}
