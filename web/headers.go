package web

import (
	"embed"
	"io/fs"
	"net/http"
	"strings"
)

// policy lets pages run and show what is ours, and nothing that was written into them.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"media-src 'self' blob:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// headers are what all answers have.
func (p *Pages) headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if p.secure {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		next.ServeHTTP(w, r)
	})
}

//go:embed assets/*.js assets/*.css assets/*.svg
var assets embed.FS

// assetAge is short: their names stay the same over versions.
const assetAge = "public, max-age=300"

func (p *Pages) asset(w http.ResponseWriter, r *http.Request) {
	name := "assets/" + r.PathValue("name")
	if _, err := fs.Stat(assets, name); err != nil || strings.Contains(r.PathValue("name"), "/") {
		p.problem(w, r, http.StatusNotFound, fs.ErrNotExist)
		return
	}
	w.Header().Set("Cache-Control", assetAge)
	http.ServeFileFS(w, r, assets, name)
}
