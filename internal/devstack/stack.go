package devstack

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"weir/secret"
)

const (
	// tenant is whose token a stack's requests carry.
	tenant = "studio"
	// StoreName is that tenant's store, which allows the stack's bucket.
	StoreName = "main"
	// The settings that weir-admin needs too.
	databaseVariable, secretKeyVariable = "WEIR_DATABASE_URL", "WEIR_SECRET_KEY"
	// defaultSlots is how many transcodes a host of a stack runs at once.
	defaultSlots = 2
	// migrateTimeout bounds `weir-admin db migrate`: 0.5 s on an idle machine.
	migrateTimeout = time.Minute
	// secretKeyBytes is the length of WEIR_SECRET_KEY.
	secretKeyBytes = 32
	// nameLength is enough of a random text (5 bits a letter) to meet no other.
	nameLength = 10
	// closeTimeout bounds what Close does over the network.
	closeTimeout = time.Minute
)

// Stack is the whole system on one machine.
type Stack struct {
	Folder *Folder
	// Database is the address of the stack's database.
	Database secret.Secret
	// Postgres is the private server; nil where another was given.
	Postgres *Postgres
	S3       *S3
	// Bucket holds sources and outputs.
	Bucket string
	// Hosts each have a daemon: Daemons[i] works for Hosts[i].
	Hosts   []*MistHost
	Daemons []*Daemon
	// Broadcaster is the stand-in; nil where others were given.
	Broadcaster *Broadcaster
	Studio      *Studio
	// API speaks to the first daemon, as tenant "studio".
	API *API

	cfg      Config
	settings map[string]string
	closers  closers
}

// Config says what a stack is made of. The zero value and BinDir: everything
// private, one stand-in host with two slots.
type Config struct {
	// BinDir holds the built programs (`make build`).
	BinDir string
	// Folder is an existing folder for the stack, which its owner closes after
	// the stack; nil makes one.
	Folder *Folder
	// Hosts is the number of stand-in hosts, each with its daemon; 0 means 1.
	Hosts int
	// Slots is the number of transcodes a host runs at once; 0 means 2.
	Slots int
	// DatabaseServer is the maintenance database of a server on which the stack
	// makes a database of its own and drops it at Close.
	DatabaseServer secret.Secret
	// Database is an existing database, which is migrated and kept. Where both
	// are empty the stack starts a private Postgres.
	Database secret.Secret
	// PostgresSettings are more of the private Postgres's, as in NAME=VALUE.
	PostgresSettings []string
	// S3 is an existing server; nil starts a private one.
	S3 *S3
	// StoreEndpoint is the S3 server's address for the daemons; empty: that of S3.
	StoreEndpoint string
	// Bucket is an existing bucket; empty makes one.
	Bucket string
	// MistFlags are more flags of one stand-in host (from 0); nil for none.
	MistFlags func(host int) []string
	// Mist is a real Mist in place of the stand-in hosts.
	Mist *MistHost
	// Broadcasters are the addresses of real ones; nil starts a stand-in.
	Broadcasters []string
	// StandIn says how the stand-in Broadcaster behaves; its folders are the stack's.
	StandIn BroadcasterConfig
	// APIListen is the address of the first daemon's API; any free one where empty.
	APIListen string
	// Settings are further WEIR_ variables of all daemons; they win.
	Settings map[string]string
	// DaemonProgram is another build of the daemon in BinDir; weir-daemon where empty.
	DaemonProgram string
	// HostSettings changes the settings of one host's daemon (from 0), the last word;
	// nil for none.
	HostSettings func(host int, settings map[string]string) error
	// Log gets a line for each callback; nil for none.
	Log *slog.Logger
	// Started is called after each part with its name and how long it took; nil
	// for not.
	Started func(part string, took time.Duration)
}

// FromEnvironment is a configuration for tests: the servers that `make test`
// started, and the real Mist of WEIR_TEST_MIST_API if there is one.
func FromEnvironment(getenv func(string) string) (*Config, error) {
	cfg := &Config{
		BinDir:         getenv(BinDirVariable),
		DatabaseServer: secret.Secret(getenv("WEIR_TEST_DATABASE_URL")),
		S3: &S3{
			Endpoint: getenv("WEIR_TEST_S3_ENDPOINT"), Region: s3Region,
			AccessKey: getenv("WEIR_TEST_S3_ACCESS_KEY"), SecretKey: secret.Secret(getenv("WEIR_TEST_S3_SECRET_KEY")),
		},
	}
	if cfg.BinDir == "" || cfg.DatabaseServer == "" || cfg.S3.Endpoint == "" {
		return nil, errors.New("no servers for tests: run `make test`")
	}
	var err error
	cfg.Mist, cfg.Broadcasters, err = MistFromEnvironment("WEIR_TEST_", getenv)
	return cfg, err
}

// MistFromEnvironment is the real Mist and the real Broadcasters of three variables with this
// prefix, as WEIR_TEST_MIST_API; nil where they are not set.
func MistFromEnvironment(prefix string, getenv func(string) string) (*MistHost, []string, error) {
	names := []string{prefix + "MIST_API", prefix + "MIST_BIN_DIR", prefix + "BROADCASTERS"}
	var set []string
	for _, name := range names {
		if getenv(name) != "" {
			set = append(set, name)
		}
	}
	switch len(set) {
	case 0:
		return nil, nil, nil
	case len(names):
		return RealMist(getenv(names[0]), getenv(names[1])), strings.Split(getenv(names[2]), ","), nil
	}
	return nil, nil, fmt.Errorf("%s is set: set all of %s, or none", set[0], strings.Join(names, ", "))
}

// Start starts everything, the daemons last. It returns when all of it is
// ready; after an error nothing is left running.
func Start(ctx context.Context, cfg *Config) (_ *Stack, err error) {
	s := &Stack{cfg: *cfg}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if s.cfg.BinDir, err = filepath.Abs(cfg.BinDir); err != nil {
		return nil, fmt.Errorf("folder of programs: %w", err)
	}
	for _, part := range []struct {
		name  string
		start func(context.Context) error
	}{
		{"folder", s.startFolder},
		{"postgres", s.startDatabase},
		{"s3", s.startS3},
		{"studio", s.startStudio},
		{"broadcaster", s.startBroadcaster},
		{"mist", s.startHosts},
		{"migrations", s.migrate},
		{"daemon", s.startDaemons},
	} {
		began := time.Now()
		if err := part.start(ctx); err != nil {
			return nil, err
		}
		if cfg.Started != nil {
			cfg.Started(part.name, time.Since(began))
		}
	}
	return s, nil
}

// Close ends what Start started, the daemons first, and removes it. Idempotent.
func (s *Stack) Close() error { return s.closers.close() }

// Admin runs weir-admin on the stack's database and returns what it prints.
func (s *Stack) Admin(ctx context.Context, args ...string) ([]byte, error) {
	return admin(ctx, s.cfg.BinDir, map[string]string{databaseVariable: string(s.Database)}, "", args...)
}

// SetStore gives a tenant a store of the stack's S3 server, by weir-admin as an operator
// does: allowed is as BUCKET or BUCKET/PREFIX.
func (s *Stack) SetStore(ctx context.Context, tenant, name, allowed string) error {
	_, err := admin(ctx, s.cfg.BinDir, map[string]string{
		databaseVariable: string(s.Database), secretKeyVariable: s.settings[secretKeyVariable],
	}, s.S3.SecretKey, "tenants", "stores", "set", tenant, name, "--endpoint", cmp.Or(s.cfg.StoreEndpoint, s.S3.Endpoint),
		"--region", s.S3.Region, "--access-key", s.S3.AccessKey, "--secret-key-file", "-", "--allow", allowed)
	return err
}

// Settings returns the WEIR_ variables that all daemons share, secrets and all.
func (s *Stack) Settings() map[string]string { return maps.Clone(s.settings) }

func (s *Stack) startFolder(context.Context) error {
	if s.Folder = s.cfg.Folder; s.Folder != nil {
		return nil
	}
	folder, err := NewFolder()
	if err != nil {
		return err
	}
	s.Folder = folder
	s.closers.add(folder.Close)
	return nil
}

func (s *Stack) startDatabase(ctx context.Context) error {
	if s.cfg.Database != "" {
		s.Database = s.cfg.Database
		return checkDatabase(ctx, s.Database)
	}
	server := s.cfg.DatabaseServer
	if server == "" {
		postgres, err := startPostgresIn(ctx, s.Folder, s.cfg.PostgresSettings)
		if err != nil {
			return err
		}
		s.Postgres = postgres
		s.closers.add(postgres.Close)
		server = postgres.URL
	}
	made, err := makeDatabase(ctx, server)
	if err != nil {
		return err
	}
	s.Database = made.url
	if s.cfg.DatabaseServer != "" { // a private server goes as a whole
		s.closers.add(func() error { return made.drop(context.WithoutCancel(ctx)) })
	}
	return nil
}

func (s *Stack) startS3(ctx context.Context) error {
	s.S3 = s.cfg.S3
	if s.S3 == nil {
		server, err := startS3In(ctx, s.Folder, s.cfg.BinDir)
		if err != nil {
			return err
		}
		s.S3 = server
		s.closers.add(server.Close)
	}
	s.Bucket = s.cfg.Bucket
	if s.Bucket != "" {
		return nil
	}
	s.Bucket = "weir-" + strings.ToLower(rand.Text()[:nameLength])
	if err := s.S3.MakeBucket(ctx, s.Bucket); err != nil {
		return err
	}
	if s.cfg.S3 != nil { // a private server goes as a whole
		s.closers.add(func() error {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
			defer cancel()
			return s.S3.RemoveBucket(ctx, s.Bucket)
		})
	}
	return nil
}

func (s *Stack) startStudio(ctx context.Context) error {
	studio, err := StartStudio(ctx, &StudioConfig{Log: s.cfg.Log})
	if err != nil {
		return err
	}
	s.Studio = studio
	s.closers.add(studio.Close)
	return nil
}

func (s *Stack) startBroadcaster(ctx context.Context) error {
	if s.cfg.Broadcasters != nil {
		return nil
	}
	dir, err := s.Folder.Make("broadcaster")
	if err != nil {
		return err
	}
	standIn := s.cfg.StandIn
	standIn.Dir, standIn.BinDir = dir, s.cfg.BinDir
	if s.Broadcaster, err = StartBroadcaster(ctx, &standIn); err != nil {
		return err
	}
	s.closers.add(s.Broadcaster.Close)
	s.cfg.Broadcasters = []string{s.Broadcaster.URL}
	return nil
}

func (s *Stack) startHosts(ctx context.Context) error {
	if s.cfg.Mist != nil {
		s.Hosts = []*MistHost{s.cfg.Mist}
		return nil
	}
	for i := range max(s.cfg.Hosts, 1) {
		dir, err := s.Folder.Make("mist-" + strconv.Itoa(i+1))
		if err != nil {
			return err
		}
		standIn := &MistHostConfig{Dir: dir, BinDir: s.cfg.BinDir}
		if s.cfg.MistFlags != nil {
			standIn.Flags = s.cfg.MistFlags(i)
		}
		host, err := StartMistHost(ctx, standIn)
		if err != nil {
			return err
		}
		s.Hosts = append(s.Hosts, host)
		s.closers.add(host.Close)
	}
	return nil
}

func (s *Stack) migrate(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, migrateTimeout, fmt.Errorf("migrating took longer than %s", migrateTimeout))
	defer cancel()
	_, err := s.Admin(ctx, "db", "migrate")
	return err
}

func (s *Stack) startDaemons(ctx context.Context) error {
	key := make([]byte, secretKeyBytes)
	_, _ = rand.Read(key) // never fails, see crypto/rand
	token := rand.Text()
	slots := s.cfg.Slots
	if slots == 0 {
		slots = defaultSlots
	}
	s.settings = map[string]string{
		databaseVariable:    string(s.Database),
		secretKeyVariable:   base64.StdEncoding.EncodeToString(key),
		"WEIR_API_TOKENS":   tenant + "=" + token,
		"WEIR_HOST_SLOTS":   strconv.Itoa(slots),
		"WEIR_BROADCASTERS": strings.Join(s.cfg.Broadcasters, ","),
		// All of a stack is on the loopback, Studio and the sources too.
		"WEIR_ALLOWED_NETWORKS": "127.0.0.0/8,::1",
		"WEIR_SPOOL_RESERVE":    strconv.Itoa(spoolReserve),
		"WEIR_LOG_LEVEL":        "debug", "WEIR_LOG_FORMAT": "text",
	}
	maps.Copy(s.settings, s.cfg.Settings)
	if err := s.SetStore(ctx, tenant, StoreName, s.Bucket); err != nil {
		return err
	}
	for i, host := range s.Hosts {
		id := "host-" + strconv.Itoa(i+1)
		dir, err := s.Folder.Make(id)
		if err != nil {
			return err
		}
		own := maps.Clone(s.settings)
		own["WEIR_HOST_ID"], own["WEIR_MIST_API"], own["WEIR_MIST_BIN_DIR"] = id, host.API, host.BinDir
		if s.cfg.HostSettings != nil {
			if err := s.cfg.HostSettings(i, own); err != nil {
				return err
			}
		}
		listen := ""
		if i == 0 {
			listen = s.cfg.APIListen
		}
		daemon, err := StartDaemon(ctx, &DaemonConfig{Dir: dir, BinDir: s.cfg.BinDir, Program: s.cfg.DaemonProgram, APIListen: listen, Settings: own})
		if err != nil {
			return err
		}
		s.Daemons = append(s.Daemons, daemon)
		s.closers.add(daemon.Close)
	}
	s.API = &API{URL: s.Daemons[0].API, Token: secret.Secret(token)}
	return nil
}

// spoolReserve lets daemons work on machines with less room than a real host
// has to have; [NewFolder] has checked what a stack needs.
const spoolReserve = 64 << 20

// Upload puts a local file into the bucket and returns its address with keys.
func (s *Stack) Upload(ctx context.Context, path, key string) (secret.Secret, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("upload %s: %w", path, err)
	}
	defer f.Close()
	if err := s.S3.Put(ctx, s.Bucket, key, f); err != nil {
		return "", err
	}
	return s.S3.URL(s.Bucket, key)
}
