package web

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"weir/secret"
	"weir/web/login"
)

// cookieName is the session's; by https it is one that no other host can set.
const cookieName, secureCookieName = "weir_session", "__Host-weir_session"

type userKey struct{}

// userOf is who asks; nil: nobody knows.
func userOf(ctx context.Context) *login.User {
	user, _ := ctx.Value(userKey{}).(*login.User)
	return user
}

// allowed lets those in who may.
func (p *Pages) allowed(who access, h http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if who == anybody {
			h(w, r)
			return
		}
		user, err := p.user(r)
		if err != nil {
			p.failed(w, r, "look who asks", err)
			return
		}
		if user == nil {
			p.stranger(w, r)
			return
		}
		r = r.WithContext(context.WithValue(r.Context(), userKey{}, user))
		if who == operators && !user.May() {
			p.problem(w, r, http.StatusForbidden, errors.New(user.Name+" is a viewer, and may change nothing: ask an operator"))
			return
		}
		h(w, r)
	})
}

// user is who asks; nil: somebody who is not logged in.
func (p *Pages) user(r *http.Request) (*login.User, error) {
	if name := p.cfg.Proxy.User(r); name != "" {
		return p.cfg.Users.Named(name), nil
	}
	cookie, err := r.Cookie(p.cookie())
	if err != nil {
		return nil, nil //nolint:nilerr // no cookie: nobody is logged in
	}
	return p.sessions.Of(r.Context(), cookie.Value)
}

func (p *Pages) cookie() string {
	if p.secure {
		return secureCookieName
	}
	return cookieName
}

// stranger sends somebody to the login, and back here afterwards.
func (p *Pages) stranger(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet || r.Header.Get("Accept") == streamType || r.URL.Path == "/whoami" || strings.HasPrefix(r.URL.Path, "/river/api/") {
		p.problem(w, r, http.StatusUnauthorized, errors.New("you are not logged in: log in, and do it again"))
		return
	}
	http.Redirect(w, r, "/login?next="+url.QueryEscape(r.URL.RequestURI()), http.StatusSeeOther)
}

type loginForm struct {
	page

	Next, Name, Problem string
}

func (p *Pages) loginPage(w http.ResponseWriter, r *http.Request) {
	p.show(w, r, http.StatusOK, "login", &loginForm{page: p.page(r, "Log in"), Next: here(r.URL.Query().Get("next"))})
}

// bodyMost is more than a form has.
const bodyMost = 16 << 10

func (p *Pages) logIn(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, bodyMost)
	form := &loginForm{page: p.page(r, "Log in"), Next: here(r.PostFormValue("next")), Name: r.PostFormValue("name")}
	if !p.throttle.Allow(p.cfg.Proxy.Address(r)) {
		form.Problem = "That were too many tries: wait a minute."
		w.Header().Set("Retry-After", "60")
		p.show(w, r, http.StatusTooManyRequests, "login", form)
		return
	}
	leave, err := p.throttle.Enter(r.Context())
	if err != nil {
		return // the caller is gone
	}
	user, err := p.cfg.Users.Check(form.Name, secret.Secret(strings.TrimSpace(r.PostFormValue("token"))))
	leave()
	if err != nil {
		p.failed(w, r, "log in", err)
		return
	}
	if user == nil {
		p.cfg.Log.WarnContext(r.Context(), "login refused", "address", p.cfg.Proxy.Address(r))
		form.Problem = "Name and token do not belong together."
		p.show(w, r, http.StatusUnauthorized, "login", form)
		return
	}
	id, err := p.sessions.Begin(r.Context(), user)
	if err != nil {
		p.failed(w, r, "log in", err)
		return
	}
	p.cfg.Log.InfoContext(r.Context(), "logged in", "user", user.Name, "role", user.Role, "address", p.cfg.Proxy.Address(r))
	p.setCookie(w, id, 0)
	http.Redirect(w, r, form.Next, http.StatusSeeOther)
}

func (p *Pages) logOut(w http.ResponseWriter, r *http.Request) {
	if cookie, err := r.Cookie(p.cookie()); err == nil {
		if err := p.sessions.End(r.Context(), cookie.Value); err != nil {
			p.failed(w, r, "log out", err)
			return
		}
	}
	p.setCookie(w, "", -1)
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

// setCookie has the browser keep the session's id until it is closed, or forget it.
func (p *Pages) setCookie(w http.ResponseWriter, id string, age int) {
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // Secure is so where browsers come by https, WEIR_WEB_URL
		Name: p.cookie(), Value: id, Path: "/", MaxAge: age, HttpOnly: true, Secure: p.secure, SameSite: http.SameSiteStrictMode,
	})
}

// whoAmI tells the login page that somebody is logged in already: a link from elsewhere
// comes without the cookie, which is for this site alone.
func (p *Pages) whoAmI(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte(userOf(r.Context()).Name))
}

// here is a path of these pages, and of no other site.
func here(next string) string {
	if u, err := url.Parse(next); err != nil || u.Host != "" || u.Scheme != "" || !strings.HasPrefix(next, "/") ||
		strings.HasPrefix(next, "//") || strings.Contains(next, `\`) || strings.HasPrefix(next, "/login") {
		return "/"
	}
	return next
}
