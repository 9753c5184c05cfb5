package mistsim

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"weir/internal/mistsim/shm"
)

// DefaultListen is the address of a real controller.
const DefaultListen = "127.0.0.1:4242"

// Flavour picks the tree that is imitated where the two differ.
type Flavour string

// The two trees in the recordings.
const (
	// Livepeer is livepeer/mistserver, the fork that runs in production.
	Livepeer Flavour = "lp"
	// Upstream is DDVTECH/mistserver 3.10.
	Upstream Flavour = "up"
)

// Config says how to imitate a host. Zero fields mean the documented default.
type Config struct {
	// Listen is the API's address; default DefaultListen, port 0 picks a free one.
	Listen string
	// Dir is the host's folder: the socket that its processes look for, the
	// saved config and, while they live, the stream buffers. Required.
	Dir string
	// Flavour is the tree to imitate; default Livepeer.
	Flavour Flavour
	// Accounts holds the API's users and the md5 of their passwords (hex).
	// Without one the API answers NOACC and obeys local requests.
	Accounts map[string]string
	// NoLocalAuth makes local connections authorize like all others.
	NoLocalAuth bool
	// PushCommand starts a push process, which must call RunPush; default is
	// the running executable with the argument "push".
	PushCommand []string
	// ShmDir is the folder in which inputs keep their pages; default is the one in
	// the environment's ShmDirEnv, else /dev/shm.
	ShmDir string
	// AwaitPushes makes a stream that ends wait until its pushes wrote all that it
	// holds. It is one outcome of the race that Faults.LosePushes makes sure to lose;
	// a real host, and the default here, leaves it open.
	AwaitPushes bool
	// Faults are the faults to begin with; see Faults for how to change them.
	Faults Faults
	// Timing holds the fixed waits; the defaults are the recorded ones.
	Timing Timing
	// Log takes the host's own messages; default none.
	Log *slog.Logger
}

// Timing holds the waits of a host that do not depend on its media.
type Timing struct {
	// BufferPass is how often a buffer looks for changed tracks; default 250 ms.
	BufferPass time.Duration
	// PushTick is how often the controller notices ended pushes, and so how
	// late PUSH_END is at most; default 1 s.
	PushTick time.Duration
	// Stats is the interval of status updates of processes and pushes, and the
	// age of the first one; default 5 s.
	Stats time.Duration
	// FirstStats is the age of an Upstream push at its first update; default 1 s.
	FirstStats time.Duration
	// SessionTick is the interval of STREAM_END and of its repetitions; default 1 s.
	SessionTick time.Duration
	// KilledSource is how long an Upstream push waits for the rest of a stream
	// whose process was killed; default 1 s.
	KilledSource time.Duration
	// TrackWait is how long MistProcLivepeer waits for a video track; default 15 s.
	TrackWait time.Duration
	// SelectWait is how long a push waits for its tracks; default 5 s.
	SelectWait time.Duration
	// InputTimeout ends a source that nobody uses; default 30 s.
	InputTimeout time.Duration
	// TriggerSilence ends one attempt to deliver a trigger; default 5 s.
	TriggerSilence time.Duration
	// LoginPause slows each refused API request on Livepeer; default 1 s.
	LoginPause time.Duration
	// ConfigSave is how long after a change the config is written; default 60 s.
	ConfigSave time.Duration
	// Turn is the step in which the threads of a process look for work; default 100 ms.
	Turn time.Duration
	// UploadSlack is for how long, beyond a segment's duration, a Broadcaster may say nothing
	// before MistProcLivepeer gives its try up; default 2 s.
	UploadSlack time.Duration
	// InputStop is how long an input takes to end after SIGTERM; default 1 s, seen
	// were 1.1 to 2.8 s.
	InputStop time.Duration
	// DataWait ends a push that gets no data from a stream that lingers (resume);
	// default 25 s.
	DataWait time.Duration
	// Offline is how long Upstream lists an ended stream as Offline; default 25 s,
	// seen were 20 to 30 s.
	Offline time.Duration
	// Poll is the step in which a starting process looks for its source; default 250 ms.
	Poll time.Duration
}

func (t *Timing) setDefaults() {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&t.BufferPass, 250 * time.Millisecond},
		{&t.PushTick, time.Second},
		{&t.Stats, 5 * time.Second},
		{&t.FirstStats, time.Second},
		{&t.SessionTick, time.Second},
		{&t.KilledSource, time.Second},
		{&t.TrackWait, 15 * time.Second},
		{&t.SelectWait, 5 * time.Second},
		{&t.InputTimeout, 30 * time.Second},
		{&t.TriggerSilence, 5 * time.Second},
		{&t.LoginPause, time.Second},
		{&t.ConfigSave, 60 * time.Second},
		{&t.Poll, 250 * time.Millisecond},
		{&t.Turn, 100 * time.Millisecond},
		{&t.UploadSlack, 2 * time.Second},
		{&t.InputStop, time.Second},
		{&t.DataWait, 25 * time.Second},
		{&t.Offline, 25 * time.Second},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
}

const (
	// closeWait bounds a clean shutdown: pushes get a SIGTERM and this long to end.
	closeWait = 5 * time.Second
	// lpVersion and upVersion are the versions in the recordings.
	lpVersion = "3.2.2-277-g0846fae8"
	upVersion = "3.10"
	// iidLen is the length of an instance id.
	iidLen = 16
)

// Server is a stand-in Mist host. Its methods may be called concurrently.
type Server struct {
	cfg     Config
	log     *slog.Logger
	iid     string
	version string
	addr    string

	cancel context.CancelFunc
	ctx    context.Context // ends everything that the host runs
	wg     sync.WaitGroup
	api    *http.Server
	link   *http.Server
	once   sync.Once

	ownMu  sync.Mutex
	closed bool

	// apiMu is Mist's configMutex: one API request at a time, and a sync
	// PUSH_END handler that calls the API deadlocks until its trigger times out.
	apiMu sync.Mutex

	mu        sync.Mutex // guards all below
	storage   storage
	published map[string][]handler
	dirty     time.Time
	inputs    map[string]*input
	booting   map[string]*input // those that met a source that is no media
	sinks     map[string]*sink
	ended     map[string]*ended
	processes map[int]*process
	pushes    map[int]*push
	logs      []logLine
	faults    Faults
	counted   counted
	held      *delivery
}

// New checks the configuration. Start opens the host.
func New(cfg *Config) (*Server, error) {
	c := *cfg
	if c.Dir == "" {
		return nil, errors.New("mistsim: Config.Dir is empty: name a folder for the host")
	}
	switch c.Flavour {
	case "":
		c.Flavour = Livepeer
	case Livepeer, Upstream:
	default:
		return nil, fmt.Errorf("mistsim: unknown flavour %q: use %q or %q", c.Flavour, Livepeer, Upstream)
	}
	if c.Listen == "" {
		c.Listen = DefaultListen
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if len(c.PushCommand) == 0 {
		exe, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("mistsim: find own executable for pushes: %w", err)
		}
		c.PushCommand = []string{exe, "push"}
	}
	if c.ShmDir == "" {
		if c.ShmDir = os.Getenv(ShmDirEnv); c.ShmDir == "" {
			c.ShmDir = defaultShmDir
		}
	}
	if err := c.Faults.check(); err != nil {
		return nil, fmt.Errorf("mistsim: %w", err)
	}
	c.Timing.setDefaults()
	s := &Server{
		cfg: c, log: c.Log, iid: rand.Text()[:iidLen], version: lpVersion,
		published: map[string][]handler{}, inputs: map[string]*input{}, booting: map[string]*input{}, sinks: map[string]*sink{},
		ended: map[string]*ended{}, processes: map[int]*process{}, pushes: map[int]*push{}, faults: c.Faults,
	}
	if c.Flavour == Upstream {
		s.version = upVersion
	}
	return s, nil
}

// Start opens the API and the host's socket and returns. The host runs until
// ctx ends, which is a crash, or until Close, which is a clean shutdown.
func (s *Server) Start(ctx context.Context) error {
	if err := os.MkdirAll(s.cfg.Dir, 0o755); err != nil {
		return fmt.Errorf("mistsim: make host folder: %w", err)
	}
	if err := s.loadConfig(); err != nil {
		return err
	}
	socket := filepath.Join(s.cfg.Dir, shm.SocketName)
	if err := os.Remove(socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("mistsim: remove the last run's socket: %w", err)
	}
	var listen net.ListenConfig
	tcp, err := listen.Listen(ctx, "tcp", s.cfg.Listen)
	if err != nil {
		return fmt.Errorf("mistsim: listen on %s (choose another -listen): %w", s.cfg.Listen, err)
	}
	unix, err := listen.Listen(ctx, "unix", socket)
	if err != nil {
		_ = tcp.Close()
		return fmt.Errorf("mistsim: listen on %s (choose a shorter -dir): %w", socket, err)
	}
	s.addr = tcp.Addr().String()
	s.ctx, s.cancel = context.WithCancel(ctx)
	base := func(net.Listener) context.Context { return s.ctx }
	s.api = &http.Server{Handler: s.apiRoutes(), BaseContext: base, ConnContext: withLogin, ReadHeaderTimeout: time.Minute}
	s.link = &http.Server{Handler: s.linkRoutes(), BaseContext: base, ReadHeaderTimeout: time.Minute}
	s.run(func() { _ = s.api.Serve(tcp) })
	s.run(func() { _ = s.link.Serve(unix) })
	s.every(s.cfg.Timing.BufferPass, s.bufferPass)
	s.every(s.cfg.Timing.PushTick, s.pushPass)
	s.every(s.cfg.Timing.SessionTick, s.sessionPass)
	s.run(func() {
		<-s.ctx.Done()
		_ = s.api.Close()
		_ = s.link.Close()
	})
	return nil
}

// URL is the address of the API, for example http://127.0.0.1:4242/api2.
func (s *Server) URL() string { return "http://" + s.addr + "/api2" }

// Close shuts the host down as SIGTERM does: pushes are asked to end and tell
// so by RECORDING_END, but no PUSH_END follows; the config is saved. It blocks
// until all is gone and may be called more than once.
func (s *Server) Close() error {
	var err error
	s.once.Do(func() {
		if s.cancel == nil {
			return
		}
		s.stopPushes()
		err = s.saveConfig()
		s.cancel()
		s.ownMu.Lock()
		s.closed = true
		s.ownMu.Unlock()
	})
	s.wg.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.sinks {
		b.readers = 0
		s.endSink(b, goneEnd)
	}
	return err
}

// enter counts something that Close waits for. It says no once Close waits.
func (s *Server) enter() bool {
	s.ownMu.Lock()
	defer s.ownMu.Unlock()
	if s.closed {
		return false
	}
	s.wg.Add(1)
	return true
}

// run starts a goroutine that Close waits for, unless it is too late.
func (s *Server) run(f func()) bool {
	if !s.enter() {
		return false
	}
	go func() {
		defer s.wg.Done()
		f()
	}()
	return true
}

// owned makes Close wait for requests in hand.
func (s *Server) owned(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.enter() {
			panic(http.ErrAbortHandler)
		}
		defer s.wg.Done()
		next.ServeHTTP(w, r)
	})
}

// every calls f in steps until the host stops.
func (s *Server) every(step time.Duration, f func(now time.Time)) {
	s.run(func() {
		tick := time.NewTicker(step)
		defer tick.Stop()
		for {
			select {
			case <-s.ctx.Done():
				return
			case now := <-tick.C:
				f(now)
			}
		}
	})
}

func (s *Server) upstream() bool { return s.cfg.Flavour == Upstream }
