// Package config holds every setting of the daemon: its name, its default and its
// check. They come from the process's environment and, where that says nothing, from
// a file; a WEIR_ variable that is none of these is an error, because it is most
// likely a misspelt one.
package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"weir/secret"

	"github.com/caarlos0/env/v11"
)

// Config is the daemon's settings. Each field's `desc` is what docs/settings.md says;
// one with `reload` is taken over by a daemon that runs, at SIGHUP.
type Config struct {
	File string `env:"WEIR_CONFIG_FILE" desc:"File of settings, a NAME=VALUE a line in the form of systemd's EnvironmentFile; --config wins over it. What the environment says wins over the file."`

	DatabaseURL      secret.Secret `env:"WEIR_DATABASE_URL,required" desc:"Postgres, as postgres://USER:PASSWORD@HOST:PORT/DATABASE. Weir keeps to the schema weir in it. Settings of Postgres may stand in its query, as ?statement_timeout=5min."`
	DatabaseMaxConns int32         `env:"WEIR_DATABASE_MAX_CONNS" envDefault:"16" desc:"Most connections to Postgres of this daemon (2 to 1000)."`
	Profile          string        `env:"WEIR_PROFILE" envDefault:"listen" desc:"How this daemon hears of work: listen (LISTEN, told at once; up to some 100 hosts) or poll (it asks every 2 s, and works through PgBouncer in transaction mode: hosts of a large fleet), see docs/sizing.md."`
	SecretKey        secret.Secret `env:"WEIR_SECRET_KEY,required" desc:"32 bytes in base64 or hex: seals the credentials of requests before they are stored. The same on all daemons; without it stored requests can't be worked on. Former keys may stand behind it, separated by commas; weir-admin seal rotate makes them needless."`

	Control bool `env:"WEIR_CONTROL" envDefault:"true" desc:"This daemon serves the API, places work, leads and delivers callbacks."`
	Worker  bool `env:"WEIR_WORKER" envDefault:"true" desc:"This daemon works for the MistServer of its machine."`

	APIListen string        `env:"WEIR_API_LISTEN" envDefault:"127.0.0.1:8080" desc:"Address of the HTTP API."`
	APITokens secret.Secret `env:"WEIR_API_TOKENS" reload:"yes" desc:"Who may use the API: TENANT=TOKEN, more of them separated by commas. A token may stand as sha256:HEX of itself."`

	WebListen  string        `env:"WEIR_WEB_LISTEN" desc:"Address of the operators' pages, of a daemon that leads, as 127.0.0.1:8081; empty serves none. Other machines come by a proxy with TLS, see docs/pages.md."`
	WebUsers   secret.Secret `env:"WEIR_WEB_USERS" desc:"Who may use the pages: NAME:ROLE:HASH, more of them separated by commas; the role is viewer or operator, weir-admin web-user makes one. The hash - is for those whom only WEIR_WEB_TRUSTED_HEADER names."`
	WebURL     string        `env:"WEIR_WEB_URL" desc:"The address that browsers have for the pages, as https://weir.example.com; https makes their cookies secure."`
	WebHeader  string        `env:"WEIR_WEB_TRUSTED_HEADER" desc:"Header in which a proxy names the user that it has asked for, as X-Forwarded-User; its role is that of WEIR_WEB_USERS. Empty believes none."`
	WebProxies []string      `env:"WEIR_WEB_TRUSTED_PROXIES" envSeparator:"," desc:"Addresses or networks of the proxies that are believed, separated by commas: of no other peer the header is read."`

	APIRate       int `env:"WEIR_API_RATE" envDefault:"1000" reload:"yes" desc:"Requests a second that each API token may send to this daemon, twice as many at once; more get a 429. 0 is any number."`
	APIFailedAuth int `env:"WEIR_API_FAILED_AUTH" envDefault:"60" reload:"yes" desc:"Requests a minute without a known token that one address may send to this daemon; more get a 429, and new tokens from there too. Behind a proxy all callers have its address. 0 is any number."`
	UrgentPercent int `env:"WEIR_URGENT_SLOTS_PERCENT" envDefault:"0" desc:"Of all hosts' slots so many percent stay for transcodes of priority 0 to 2 (0 to 50); the same on all daemons."`

	KeepTranscodes       int `env:"WEIR_KEEP_TRANSCODES_DAYS" envDefault:"90" reload:"yes" desc:"For how many days transcodes are kept after their end (up to 3650); 0 keeps them for ever. A repeated external_id is a new request after that."`
	KeepTriggers         int `env:"WEIR_KEEP_TRIGGERS_DAYS" envDefault:"7" reload:"yes" desc:"For how many days Mist's triggers are kept: no longer than transcodes; 0 keeps them for ever."`
	KeepEvents           int `env:"WEIR_KEEP_EVENTS_DAYS" envDefault:"7" reload:"yes" desc:"For how many days events are kept, for streams that go on behind one: no longer than transcodes; 0 keeps them for ever."`
	KeepCallbackAttempts int `env:"WEIR_KEEP_CALLBACK_ATTEMPTS_DAYS" envDefault:"30" reload:"yes" desc:"For how many days each try to deliver a callback is kept; 0 keeps them as long as their transcode."`

	HostID        string        `env:"WEIR_HOST_ID" desc:"This host's short id: lower case letters, digits and dashes. By default made from the machine's host name."`
	HostSlots     int           `env:"WEIR_HOST_SLOTS" envDefault:"4" desc:"Transcodes that run on this host at once (1 to 1000)."`
	StoreWorkers  int           `env:"WEIR_STORE_WORKERS" envDefault:"4" desc:"Renditions that are finished at once, and uploaded at once to one bucket (1 to 100)."`
	SpoolDir      string        `env:"WEIR_SPOOL_DIR" envDefault:"/var/lib/weir/spool" desc:"Folder for sources and renditions in work; MistServer must see it under the same path, without symbolic links: they are followed once, at the start."`
	SpoolReserve  int64         `env:"WEIR_SPOOL_RESERVE" envDefault:"2147483648" desc:"Bytes that stay free on the spool's disk; a host with less takes no work."`
	SourceMax     int64         `env:"WEIR_SOURCE_MAX_BYTES" envDefault:"53687091200" desc:"Largest source in bytes."`
	TriggerListen string        `env:"WEIR_TRIGGER_LISTEN" envDefault:"127.0.0.1:8938" desc:"Loopback address that Mist's triggers are posted to."`
	MistAPI       string        `env:"WEIR_MIST_API" envDefault:"http://127.0.0.1:4242/api2" desc:"The API of this machine's MistServer."`
	MistUsername  string        `env:"WEIR_MIST_USERNAME" desc:"Account of MistServer, where it asks for one."`
	MistPassword  secret.Secret `env:"WEIR_MIST_PASSWORD" desc:"Its password."`
	MistBinDir    string        `env:"WEIR_MIST_BIN_DIR" envDefault:"/usr/bin" desc:"Folder of MistProcLivepeer."`
	ShmDir        string        `env:"WEIR_SHM_DIR" envDefault:"/dev/shm" desc:"Where MistServer keeps its shared memory; what killed inputs leave there is removed."`
	Broadcasters  []string      `env:"WEIR_BROADCASTERS" envSeparator:"," desc:"Livepeer Broadcasters as URLs, separated by commas. Or give WEIR_LIVEPEER_TOKEN."`
	LivepeerAPI   string        `env:"WEIR_LIVEPEER_API" envDefault:"https://livepeer.live/api" desc:"Livepeer's API, asked for Broadcasters where WEIR_LIVEPEER_TOKEN is used."`
	LivepeerAPIs  []string      `env:"WEIR_LIVEPEER_APIS" envSeparator:"," envDefault:"https://livepeer.studio/api,https://livepeer.com/api,https://livepeer.live/api,https://livepeer.monster/api" desc:"Livepeer APIs that requests may name, beside WEIR_LIVEPEER_API and those at literal addresses of WEIR_ALLOWED_NETWORKS, separated by commas. They are trusted with this host's network, see docs/security.md."`
	LivepeerToken secret.Secret `env:"WEIR_LIVEPEER_TOKEN" desc:"Access token for Livepeer's API."`

	SourceHTTP      bool     `env:"WEIR_SOURCE_HTTP" envDefault:"false" desc:"Also take sources over http://, without TLS."`
	IPFSGateway     string   `env:"WEIR_IPFS_GATEWAY" desc:"URL that the id and path of a source ipfs://ID/path are put behind, as https://ipfs.example.com/ipfs; empty: such sources are refused."`
	ARGateway       string   `env:"WEIR_AR_GATEWAY" desc:"The same for ar://ID/path, as https://arweave.net."`
	AllowedNetworks []string `env:"WEIR_ALLOWED_NETWORKS" envSeparator:"," reload:"yes" desc:"What requests may reach beside the public internet, separated by commas: addresses or CIDRs, with ports where only those are meant (10.0.0.0/8, 10.0.0.7:9000, 10.0.0.0/8:8000-8999, [fd00::/8]:443). It is for sources, outputs and callbacks, see docs/security.md; Mist's and Weir's own ports are never reached."`

	CallbackSecret secret.Secret `env:"WEIR_CALLBACK_SECRET" desc:"Signs callbacks (Weir-Signature); empty leaves them unsigned."`

	CallbackToken secret.Secret `env:"WEIR_CALLBACK_TOKEN" desc:"Sent as Authorization: Bearer with callbacks to the hosts of WEIR_CALLBACK_TOKEN_HOSTS: Studio's task runner asks for one."`
	CallbackHosts []string      `env:"WEIR_CALLBACK_TOKEN_HOSTS" envSeparator:"," desc:"Hosts, or HOST:PORTs, that WEIR_CALLBACK_TOKEN is meant for, separated by commas."`

	HEVC      bool `env:"WEIR_TRANSCODERS_HEVC" envDefault:"false" desc:"The Broadcasters' transcoders take HEVC: such sources pass as they are instead of being encoded."`
	HighDepth bool `env:"WEIR_TRANSCODERS_HIGH_DEPTH" envDefault:"false" desc:"The Broadcasters' transcoders take H264 of more than 8 bits, or with more colour than 4:2:0: it passes as it is."`

	FFmpeg        string `env:"WEIR_FFMPEG" envDefault:"ffmpeg" desc:"The ffmpeg program."`
	FFprobe       string `env:"WEIR_FFPROBE" envDefault:"ffprobe" desc:"The ffprobe program."`
	MetricsListen string `env:"WEIR_METRICS_LISTEN" envDefault:"127.0.0.1:9464" desc:"Address of /metrics, for Prometheus; empty: there is none. It asks for no login, see docs/monitoring.md."`

	LogLevel  string `env:"WEIR_LOG_LEVEL" envDefault:"info" reload:"yes" desc:"debug, info, warn or error."`
	LogFormat string `env:"WEIR_LOG_FORMAT" envDefault:"json" desc:"json or text."`
}

// The values of WEIR_PROFILE.
const (
	ProfileListen = "listen"
	ProfilePoll   = "poll"
)

// Setting is one line of the settings' documentation.
type Setting struct {
	Name, Default, Description string
	// Required: there is no default.
	Required bool
	// Secret: its value is never shown.
	Secret bool
	// Reload: a daemon that runs takes it over at SIGHUP.
	Reload bool
}

var hostIDPattern = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

const (
	// prefix of all settings.
	prefix = "WEIR_"
	// maxHostID keeps queue names within River's 64 characters.
	maxHostID = 40
	maxConns  = 1000
	maxSlots  = 1000
	maxStores = 100
	// maxKeep is ten years: more is for ever.
	maxKeep = 3650
	// maxUrgent leaves as much to those who can wait.
	maxUrgent = 50
)

// foreign are variables with our prefix that other programs of the project read.
var foreign = []string{"WEIR_TEST_", "WEIR_DEMO_", "WEIR_BIN_DIR"}

// Load reads the settings from environ (as os.Environ gives it), and from the file that
// it names, and checks them.
func Load(environ []string) (*Config, error) {
	given, err := Read(environ, "")
	if err != nil {
		return nil, err
	}
	return given.Load()
}

// Load checks what was given. The error names every setting that is wrong, and what to
// write.
func (g *Given) Load() (*Config, error) {
	vars := g.merged()
	cfg := &Config{}
	if err := env.ParseWithOptions(cfg, env.Options{Environment: vars}); err != nil {
		// A name that is mistyped first: what is not set may be set by it.
		return nil, fmt.Errorf("settings: %w", errors.Join(append(unknown(vars), missing(err)...)...))
	}
	cfg.File = g.File
	// The library takes a setting that is set to nothing for one that is not set.
	if listen, set := vars["WEIR_METRICS_LISTEN"]; set && listen == "" {
		cfg.MetricsListen = ""
	}
	if cfg.HostID == "" {
		cfg.HostID = defaultHostID()
	}
	problems := unknown(vars)
	problems = append(problems, cfg.problems()...)
	if len(problems) > 0 {
		return nil, fmt.Errorf("settings: %w", errors.Join(problems...))
	}
	return cfg, nil
}

// Settings lists every setting in the order of the struct.
func Settings() []Setting {
	var settings []Setting
	for _, field := range reflect.VisibleFields(reflect.TypeFor[Config]()) {
		name, options, _ := strings.Cut(field.Tag.Get("env"), ",")
		value, required := field.Tag.Get("envDefault"), strings.Contains(options, "required")
		if required {
			value = "(required)"
		}
		settings = append(settings, Setting{
			Name: name, Default: value, Description: field.Tag.Get("desc"), Required: required,
			Secret: field.Type == reflect.TypeFor[secret.Secret](), Reload: field.Tag.Get("reload") == "yes",
		})
	}
	return settings
}

func missing(err error) (problems []error) {
	var aggregate env.AggregateError
	if !errors.As(err, &aggregate) {
		return []error{err}
	}
	for _, each := range aggregate.Errors {
		var unset env.VarIsNotSetError
		var parse env.ParseError
		switch {
		case errors.As(each, &unset):
			problems = append(problems, fmt.Errorf("%s is not set: %s", unset.Key, describe(unset.Key)))
		case errors.As(each, &parse):
			// The library's text would show the value, which may be a secret.
			name := tagOf(parse.Name)
			problems = append(problems, fmt.Errorf("%s can't be read as %s: %s", name, parse.Type, describe(name)))
		default:
			problems = append(problems, each)
		}
	}
	return problems
}

func tagOf(field string) string {
	f, ok := reflect.TypeFor[Config]().FieldByName(field)
	if !ok {
		return field
	}
	name, _, _ := strings.Cut(f.Tag.Get("env"), ",")
	return name
}

func describe(name string) string {
	for _, setting := range Settings() {
		if setting.Name == name {
			return setting.Description
		}
	}
	return ""
}

func unknown(vars map[string]string) []error {
	known := map[string]bool{}
	for _, setting := range Settings() {
		known[setting.Name] = true
	}
	var names []string
	for name := range vars {
		if strings.HasPrefix(name, prefix) && !known[name] && !foreigner(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var problems []error
	for _, name := range names {
		hint := "see docs/settings.md for the names"
		if near := nearest(name); near != "" {
			hint = "did you mean " + near + "?"
		}
		problems = append(problems, fmt.Errorf("%s is no setting: %s", name, hint))
	}
	return problems
}

func foreigner(name string) bool {
	return slices.ContainsFunc(foreign, func(p string) bool { return strings.HasPrefix(name, p) })
}

func defaultHostID() string {
	name, err := os.Hostname()
	if err != nil {
		return ""
	}
	slug := regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(strings.ToLower(name), "-")
	return strings.Trim(slug[:min(len(slug), maxHostID)], "-")
}

func (c *Config) problems() []error {
	var problems []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}
	check(c.DatabaseMaxConns >= 2 && c.DatabaseMaxConns <= maxConns, "WEIR_DATABASE_MAX_CONNS is %d: give 2 to %d", c.DatabaseMaxConns, maxConns)
	check(c.Control || c.Worker, "WEIR_CONTROL and WEIR_WORKER are both false: this daemon would do nothing")
	check(c.Profile == ProfileListen || c.Profile == ProfilePoll, "WEIR_PROFILE is %q: give %s or %s", c.Profile, ProfileListen, ProfilePoll)
	check(c.LogFormat == "json" || c.LogFormat == "text", "WEIR_LOG_FORMAT is %q: give json or text", c.LogFormat)
	check(c.MetricsListen == "" || validAddress(c.MetricsListen), "WEIR_METRICS_LISTEN is %q: give HOST:PORT, or nothing for no metrics", c.MetricsListen)
	_, err := c.Level()
	check(err == nil, "%w", err)
	if c.Control {
		check(validAddress(c.APIListen), "WEIR_API_LISTEN is %q: give HOST:PORT", c.APIListen)
		check(c.APIRate >= 0, "WEIR_API_RATE is %d: give requests a second, or 0 for any number", c.APIRate)
		check(c.APIFailedAuth >= 0, "WEIR_API_FAILED_AUTH is %d: give requests a minute, or 0 for any number", c.APIFailedAuth)
		check(c.APITokens != "", "WEIR_API_TOKENS is not set: %s", describe("WEIR_API_TOKENS"))
		check(c.UrgentPercent >= 0 && c.UrgentPercent <= maxUrgent, "WEIR_URGENT_SLOTS_PERCENT is %d: give 0 to %d", c.UrgentPercent, maxUrgent)
		problems = append(problems, c.gatewayProblems()...)
		check(c.WebListen == "" || validAddress(c.WebListen), "WEIR_WEB_LISTEN is %q: give HOST:PORT, or nothing for no pages", c.WebListen)
		check(c.WebListen == "" || c.WebUsers != "", "WEIR_WEB_USERS is not set: %s", describe("WEIR_WEB_USERS"))
		problems = append(problems, c.keepProblems()...)
	}
	if c.Worker {
		problems = append(problems, c.workerProblems()...)
	}
	return problems
}

// gatewayProblems: what is fetched there is fetched as any source is.
func (c *Config) gatewayProblems() []error {
	var problems []error
	for _, g := range []struct{ name, url string }{{"WEIR_IPFS_GATEWAY", c.IPFSGateway}, {"WEIR_AR_GATEWAY", c.ARGateway}} {
		if g.url == "" {
			continue
		}
		u, err := url.Parse(g.url)
		if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Scheme != "https" && (u.Scheme != "http" || !c.SourceHTTP) {
			problems = append(problems, fmt.Errorf("%s is no https:// URL without keys and query (http:// takes WEIR_SOURCE_HTTP)", g.name))
		}
	}
	return problems
}

func (c *Config) keepProblems() []error {
	var problems []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}
	valid := func(days int) bool { return days >= 0 && days <= maxKeep }
	check(valid(c.KeepTranscodes), "WEIR_KEEP_TRANSCODES_DAYS is %d: give 0 to %d", c.KeepTranscodes, maxKeep)
	check(valid(c.KeepTriggers), "WEIR_KEEP_TRIGGERS_DAYS is %d: give 0 to %d", c.KeepTriggers, maxKeep)
	check(valid(c.KeepEvents), "WEIR_KEEP_EVENTS_DAYS is %d: give 0 to %d", c.KeepEvents, maxKeep)
	check(c.KeepTranscodes == 0 || c.KeepEvents > 0 && c.KeepEvents <= c.KeepTranscodes,
		"WEIR_KEEP_EVENTS_DAYS is %d: give 1 to %d, as events are of no use without their transcodes (WEIR_KEEP_TRANSCODES_DAYS)",
		c.KeepEvents, c.KeepTranscodes)
	check(valid(c.KeepCallbackAttempts), "WEIR_KEEP_CALLBACK_ATTEMPTS_DAYS is %d: give 0 to %d", c.KeepCallbackAttempts, maxKeep)
	// Callback attempts go with their transcode, triggers by themselves.
	check(c.KeepTranscodes == 0 || c.KeepTriggers > 0 && c.KeepTriggers <= c.KeepTranscodes,
		"WEIR_KEEP_TRIGGERS_DAYS is %d: give 1 to %d, as triggers are of no use without their transcodes (WEIR_KEEP_TRANSCODES_DAYS)",
		c.KeepTriggers, c.KeepTranscodes)
	return problems
}

func (c *Config) workerProblems() []error {
	var problems []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}
	check(hostIDPattern.MatchString(c.HostID) && len(c.HostID) <= maxHostID,
		"WEIR_HOST_ID is %q: give up to %d lower case letters, digits and dashes", c.HostID, maxHostID)
	check(c.HostSlots >= 1 && c.HostSlots <= maxSlots, "WEIR_HOST_SLOTS is %d: give 1 to %d", c.HostSlots, maxSlots)
	check(c.StoreWorkers >= 1 && c.StoreWorkers <= maxStores, "WEIR_STORE_WORKERS is %d: give 1 to %d", c.StoreWorkers, maxStores)
	check(filepath.IsAbs(c.SpoolDir), "WEIR_SPOOL_DIR is %q: give a path from /", c.SpoolDir)
	check(filepath.IsAbs(c.ShmDir), "WEIR_SHM_DIR is %q: give a path from /", c.ShmDir)
	// Mist reads ? as the begin of parameters and $ as a variable.
	check(!strings.ContainsAny(c.SpoolDir, "?$ "), "WEIR_SPOOL_DIR is %q: Mist can't take ?, $ or spaces in it", c.SpoolDir)
	check(c.SpoolReserve >= 0, "WEIR_SPOOL_RESERVE is %d: give bytes", c.SpoolReserve)
	check(c.SourceMax > 0, "WEIR_SOURCE_MAX_BYTES is %d: give bytes", c.SourceMax)
	check(loopback(c.TriggerListen), "WEIR_TRIGGER_LISTEN is %q: give a loopback address with its port, as 127.0.0.1:8938", c.TriggerListen)
	check(validURL(c.MistAPI), "WEIR_MIST_API is %q: give a URL as http://127.0.0.1:4242/api2", c.MistAPI)
	check(len(c.Broadcasters) > 0 || c.LivepeerToken != "", "neither WEIR_BROADCASTERS nor WEIR_LIVEPEER_TOKEN is set: %s", describe("WEIR_BROADCASTERS"))
	for i, api := range c.LivepeerAPIs {
		check(validURL(api), "WEIR_LIVEPEER_APIS: number %d is no http or https URL", i+1)
	}
	for i, broadcaster := range c.Broadcasters {
		check(validURL(broadcaster), "WEIR_BROADCASTERS: number %d is no http or https URL", i+1)
	}
	return problems
}

// Level is the log level.
func (c *Config) Level() (slog.Level, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.LogLevel)); err != nil {
		return level, fmt.Errorf("WEIR_LOG_LEVEL is %q: give debug, info, warn or error", c.LogLevel)
	}
	return level, nil
}

func validAddress(address string) bool {
	_, port, err := net.SplitHostPort(address)
	return err == nil && port != ""
}

func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
}

func validURL(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}
