package mist

import (
	"errors"
	"fmt"
	"strings"

	"weir/engine"
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

// Name ties what runs in Mist to one attempt of one transcode: it is the attempt's, with
// the names of its streams.
type Name engine.Name

// String is the attempt's name, and that of its spool folder.
func (n Name) String() string { return engine.Name(n).String() }

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
	name, err := engine.ParseName(rest)
	if err != nil {
		return Name{}, fmt.Errorf("mist: %q: %w", s, ErrName)
	}
	return Name(name), nil
}
