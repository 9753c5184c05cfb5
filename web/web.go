package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"riverqueue.com/riverui"

	"weir/api/events"
	"weir/jobs"
	"weir/web/login"
)

// Config is what the pages are made of.
type Config struct {
	DB         *pgxpool.Pool
	Transcodes *jobs.Transcodes
	River      *river.Client[pgx.Tx]
	// Events wakes pages that show what moves.
	Events *events.Hub
	Users  *login.Users
	Proxy  login.Proxy
	// URL is the address that browsers have for the pages; "": the one that they listen on.
	URL string
	// Objects are what was stored; nil: nothing is played.
	Objects Objects
	Version string
	Log     *slog.Logger
}

// Pages are the operators' pages.
type Pages struct {
	cfg      *Config
	sessions *login.Sessions
	throttle *login.Throttle
	secure   bool // browsers come by https
	mux      *http.ServeMux
	handler  http.Handler
	river    *riverui.Handler
	streams  chan struct{}
	playing  chan struct{}
	// routes are all patterns with who may ask for them.
	routes map[string]access
}

// access is who may ask for something.
type access int

// Whoever is not named here may not.
const (
	operators access = iota // the zero value is the strictest
	viewers
	anybody
)

// New makes the pages.
func New(cfg *Config) (*Pages, error) {
	p := &Pages{
		cfg: cfg, sessions: &login.Sessions{DB: cfg.DB, Users: cfg.Users}, throttle: login.NewThrottle(), mux: http.NewServeMux(),
		streams: make(chan struct{}, streamsMost), playing: make(chan struct{}, playingMost), routes: map[string]access{},
	}
	guard := http.NewCrossOriginProtection()
	if cfg.URL != "" {
		u, err := url.Parse(cfg.URL)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || strings.Trim(u.Path, "/") != "" {
			return nil, fmt.Errorf("WEIR_WEB_URL is %q: give https://HOST, without a path", cfg.URL)
		}
		p.secure = u.Scheme == "https"
		if err := guard.AddTrustedOrigin(u.Scheme + "://" + u.Host); err != nil {
			return nil, fmt.Errorf("WEIR_WEB_URL: %w", err)
		}
	}
	guard.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.problem(w, r, http.StatusForbidden, errors.New("this came from another site's page: open the page here and do it again"))
	}))
	p.routed()
	p.routedBulk()
	if err := p.openRiver(); err != nil {
		return nil, err
	}
	p.handler = p.headers(guard.Handler(p.mux))
	return p, nil
}

// ServeHTTP implements http.Handler.
func (p *Pages) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.handler.ServeHTTP(w, r) }

// routed registers all that there is.
func (p *Pages) routed() {
	p.route("GET /assets/{name}", anybody, p.asset)
	p.route("GET /login", anybody, p.loginPage)
	p.route("POST /login", anybody, p.logIn)
	p.route("POST /logout", viewers, p.logOut)
	p.route("GET /whoami", viewers, p.whoAmI)
	p.route("GET /{$}", viewers, p.overview)
	p.route("GET /live", viewers, p.overviewLive)
	p.route("GET /transcodes", viewers, p.transcodes)
	p.route("GET /transcodes/{id}", viewers, p.transcode)
	p.route("GET /transcodes/{id}/live", viewers, p.transcodeLive)
	p.route("POST /transcodes/{id}/cancel", operators, p.cancel)
	p.route("POST /transcodes/{id}/retry", operators, p.retry)
	p.route("POST /transcodes/{id}/bump", operators, p.bump)
	p.route("POST /transcodes/{id}/redeliver", operators, p.redeliver)
	p.route("GET /hosts", viewers, p.hosts)
	p.route("POST /hosts/{host}/drain", operators, p.drain)
	p.route("POST /hosts/{host}/resume", operators, p.resumeHost)
	p.route("POST /hosts/{host}/forget", operators, p.forget)
	p.route("GET /tenants", viewers, p.tenants)
	p.route("POST /tenants/{tenant}/pause", operators, p.pauseTenant)
	p.route("POST /tenants/{tenant}/resume", operators, p.resumeTenant)
	p.route("POST /queue/pause", operators, p.pauseQueue)
	p.route("POST /queue/resume", operators, p.resumeQueue)
	p.route("GET /actions", viewers, p.actions)
	p.route("GET /transcodes/{id}/play/{rendition}", viewers, p.play)
	p.route("GET /transcodes/{id}/play/{rendition}/{file}", viewers, p.playFile)
	p.route("GET /transcodes/{id}/watch/{output}", viewers, p.watch)
	p.route("GET /transcodes/{id}/watch/{output}/{file...}", viewers, p.watchFile)
	p.route("/", viewers, p.nothing)
}

// route registers a handler for those who may.
func (p *Pages) route(pattern string, who access, h http.HandlerFunc) {
	p.routes[pattern] = who
	p.mux.Handle(pattern, p.allowed(who, h))
}

func (p *Pages) nothing(w http.ResponseWriter, r *http.Request) {
	p.problem(w, r, http.StatusNotFound, errors.New("there is no such page"))
}

// warn logs what a page could not do.
func (p *Pages) warn(ctx context.Context, what string, err error) {
	if ctx.Err() == nil {
		p.cfg.Log.WarnContext(ctx, what, "error", err)
	}
}
