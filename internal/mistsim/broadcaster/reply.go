package broadcaster

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"strconv"
)

const (
	// multipartMixed is the only Accept that renditions are sent to.
	multipartMixed = "multipart/mixed"
	// boundaryBytes become twice as many hex digits.
	boundaryBytes = 10
)

// reply writes the renditions, the parts in the order of the profiles; who does
// not accept just multipart/mixed gets an empty 200. Mist takes the boundary as
// it stands, up to the header's end, so it is the last parameter and has no quotes.
func reply(w http.ResponseWriter, r *http.Request, p *post, profiles []Profile, renditions [][]byte, fault Faults) error {
	wanted := r.Header.Get("Accept") == multipartMixed
	boundary := make([]byte, boundaryBytes)
	_, _ = rand.Read(boundary) // never fails
	parts := multipart.NewWriter(w)
	if err := parts.SetBoundary(hex.EncodeToString(boundary)); err != nil {
		return fmt.Errorf("boundary of %s: %w", p.name, err)
	}
	if wanted {
		w.Header().Set("Content-Type", multipartMixed+"; boundary="+parts.Boundary())
	}
	if fault.Mode == ModeContentType {
		w.Header().Set("Content-Type", "text/plain")
	}
	w.WriteHeader(http.StatusOK)
	_ = http.NewResponseController(w).Flush() // makes it chunked from the first byte
	if !wanted {
		return nil
	}
	// Renditions are kept by name: of two with the same one, the last counts.
	byName := make(map[string][]byte, len(profiles))
	for i := range profiles {
		byName[profiles[i].Name] = renditions[i]
	}
	if fault.Mode == ModeFewer {
		profiles = profiles[:len(profiles)-1]
	}
	for i := range profiles {
		name := profiles[i].Name
		file := fmt.Sprintf(`"%s_%d%s"`, name, p.seq, p.ext)
		part, err := parts.CreatePart(textproto.MIMEHeader{
			"Content-Type":        {p.format.mime + "; name=" + file},
			"Content-Length":      {strconv.Itoa(len(byName[name]))},
			"Content-Disposition": {"attachment; filename=" + file},
			"Rendition-Name":      {name},
		})
		if err == nil {
			_, err = part.Write(byName[name])
		}
		if err != nil {
			return fmt.Errorf("%w: deliver %s of %s: %w", errDropped, name, p.name, err)
		}
	}
	if err := parts.Close(); err != nil {
		return fmt.Errorf("%w: deliver %s: %w", errDropped, p.name, err)
	}
	return nil
}
