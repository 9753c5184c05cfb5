package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"weir/internal/devstack"
	"weir/secret"
	"weir/test/bench/report"
)

const (
	// neighbourSlots are the host's; a greedy tenant may have all but one of them, as an
	// operator would have it (running_most): it is its trouble that is measured, and not the
	// turns that it takes.
	neighbourSlots = 4
	// neighbourTrickles hold all the slots that the tenant may have, neighbourStalls as many
	// transcodes wait for a storage that never answers, and neighbourEnds so many were cancelled,
	// with callbacks that nobody takes. That is more than the daemon's workers of each kind.
	neighbourTrickles = neighbourSlots - 1
	neighbourStalls   = 3
	neighbourEnds     = 24
	// neighbourReceivers hang, each another server to the daemon.
	neighbourReceivers = 8
	// neighbourClip lasts long enough that a tenth of its transcode is not lost in the machine's
	// own spread, neighbourShort is what stalls; that is transcoded before the clock runs.
	neighbourClip, neighbourShort = 8 * time.Second, 2 * time.Second
	// neighbourTrickle is how often a byte comes: no connection stalls. A source is given
	// up for it after 75 s, which is longer than a round.
	neighbourTrickle = 100 * time.Millisecond
	// neighbourSettles passes before each transcode that is measured: what those before it left
	// to do, as the judging of what stalls then, is no part of it.
	neighbourSettles = 3 * time.Second
	// neighbourLimit bounds all of it, half of that where nothing else runs.
	neighbourLimit = 3 * time.Minute
	// neighbourTokenA and the other are for this stack alone.
	neighbourTokenA, neighbourTokenB = "the-greedy-tenant-of-this-bench", "the-other-tenant-of-this-bench"
)

// neighbour is what a tenant's transcode takes alone, and beside one whose sources trickle,
// whose storage stalls and whose receivers hang: in turns, in one run.
func (b *bench) neighbour(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, neighbourLimit, fmt.Errorf("a neighbour's cost was not measured within %s: the machine is too busy", neighbourLimit))
	defer cancel()
	if b.stack, err = startStack(ctx, func(cfg *devstack.Config) {
		cfg.Slots = neighbourSlots
		cfg.Settings["WEIR_SOURCE_HTTP"] = "true"
		cfg.Settings["WEIR_API_TOKENS"] = "greedy=" + neighbourTokenA + ",other=" + neighbourTokenB
	}); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.stack.Close()) }()
	if _, err := b.stack.Admin(ctx, "tenants", "set", "greedy", "--running-most", strconv.Itoa(neighbourTrickles)); err != nil {
		return err
	}
	n := &neighbours{stack: b.stack, tokens: map[string]*devstack.API{}}
	for tenant, token := range map[string]secret.Secret{"greedy": neighbourTokenA, "other": neighbourTokenB} {
		n.tokens[tenant] = &devstack.API{URL: b.stack.API.URL, Token: token}
	}
	if err := n.begin(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.close()) }()
	if _, err := n.transcode(ctx, "warm"); err != nil { // pools and caches are filled
		return err
	}
	var alone, beside, delay []float64
	for round := range rounds {
		first, err := n.transcode(ctx, fmt.Sprintf("alone-%d", round))
		if err != nil {
			return err
		}
		trouble, err := n.trouble(ctx)
		if err != nil {
			return err
		}
		second, err := n.transcode(ctx, fmt.Sprintf("beside-%d", round))
		if err != nil {
			return err
		}
		if err := n.over(ctx, trouble); err != nil {
			return err
		}
		alone, beside, delay = append(alone, first), append(beside, second), append(delay, second-first)
	}
	b.Add("a tenant's transcode of 8 s, alone: accepted -> callback received", "s", "", 0, alone...)
	b.Add(fmt.Sprintf("  beside a tenant with %d sources that trickle, %d transcodes whose storage stalls, %d callbacks that hang",
		neighbourTrickles, neighbourStalls, neighbourEnds), "s", "", 0, beside...).Beside("alone", report.Median(alone))
	b.Add("  what the neighbour costs, round by round", "s", "", 0, delay...)
	b.Add("  the median beside it by the median alone", "", fmt.Sprintf("%g or less", goalNeighbour), goalNeighbour, report.Median(beside)/report.Median(alone))
	return nil
}

// neighbours are two tenants, and what one of them is in trouble with.
type neighbours struct {
	stack       *devstack.Stack
	tokens      map[string]*devstack.API
	db          *pgx.Conn
	clip, short string // their sources' URLs
	servers     []*http.Server
	sources     string // of the trickling ones
	storage     string
	receivers   []string

	mu      sync.Mutex
	hanging chan struct{} // closed when what hangs is let go
}

// begin starts what is going to hang, and puts the sources where they are read.
func (n *neighbours) begin(ctx context.Context) error {
	var err error
	if n.db, err = pgx.Connect(ctx, string(n.stack.Database)); err != nil {
		return fmt.Errorf("connect to the stack's database: %w", err)
	}
	n.hanging = make(chan struct{})
	if n.sources, err = n.serve(ctx, n.trickle); err != nil {
		return err
	}
	if n.storage, err = n.serve(ctx, n.hang); err != nil {
		return err
	}
	for range neighbourReceivers {
		receiver, err := n.serve(ctx, n.hang)
		if err != nil {
			return err
		}
		n.receivers = append(n.receivers, "http://"+receiver+"/hooks")
	}
	dir, err := n.stack.Folder.Make("bench")
	if err != nil {
		return err
	}
	for name, clip := range map[*string]time.Duration{&n.clip: neighbourClip, &n.short: neighbourShort} {
		file := filepath.Join(dir, clip.String()+".mp4")
		if err := devstack.MakeClip(ctx, file, devstack.Clip{Duration: clip}); err != nil {
			return err
		}
		url, err := n.stack.Upload(ctx, file, "bench/"+filepath.Base(file))
		if err != nil {
			return err
		}
		*name = string(url)
	}
	return nil
}

func (n *neighbours) close() error {
	n.letGo()
	var errs []error
	for _, server := range n.servers {
		errs = append(errs, server.Close())
	}
	return errors.Join(append(errs, n.db.Close(context.Background()))...)
}

// serve starts a server, and says where it is.
func (n *neighbours) serve(ctx context.Context, handler http.HandlerFunc) (address string, err error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("bench: %w", err)
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: acceptLate}
	go func() { _ = server.Serve(listener) }() // until it is closed
	n.servers = append(n.servers, server)
	return listener.Addr().String(), nil
}

// held is closed when what hangs just now is let go.
func (n *neighbours) held() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.hanging
}

// letGo has what hangs answered, and what comes behind it until hangAgain.
func (n *neighbours) letGo() {
	n.mu.Lock()
	defer n.mu.Unlock()
	select {
	case <-n.hanging:
	default:
		close(n.hanging)
	}
}

func (n *neighbours) hangAgain() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hanging = make(chan struct{})
}

// hang answers nothing, and when it is let go that there is nothing: final to a callback and to a storage.
func (n *neighbours) hang(w http.ResponseWriter, r *http.Request) {
	select {
	case <-n.held():
		w.WriteHeader(http.StatusNotFound)
	case <-r.Context().Done():
	}
}

// trickle serves a film by the byte.
func (n *neighbours) trickle(w http.ResponseWriter, r *http.Request) {
	const bytes = 1 << 30
	w.Header().Set("Content-Length", strconv.Itoa(bytes))
	tick := time.NewTicker(neighbourTrickle)
	defer tick.Stop()
	for {
		if _, err := w.Write([]byte{0}); err != nil {
			return
		}
		if err := http.NewResponseController(w).Flush(); err != nil {
			return
		}
		select {
		case <-tick.C:
		case <-n.held():
			return
		case <-r.Context().Done():
			return
		}
	}
}

// transcode is how long one of the tenant without trouble takes.
func (n *neighbours) transcode(ctx context.Context, name string) (seconds float64, err error) {
	select {
	case <-time.After(neighbourSettles):
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
	output, err := n.stack.S3.URL(n.stack.Bucket, "bench/out")
	if err != nil {
		return 0, err
	}
	api := n.tokens["other"]
	t, err := api.Submit(ctx, &devstack.Request{
		ExternalID: name, Source: devstack.Location{URL: n.clip}, Output: devstack.Location{URL: string(output)},
		CallbackURL: n.stack.Studio.URL + name, Profiles: ladder()[1:],
	})
	if err != nil {
		return 0, err
	}
	told, err := n.stack.Studio.WaitTerminal(ctx, t.ID)
	if err != nil {
		return 0, err
	}
	if told.Status != "success" {
		return 0, fmt.Errorf("transcode %s ended with %s: %s", t.ID, told.Status, told.Error)
	}
	return told.At.Sub(t.CreatedAt).Seconds(), nil
}

// trouble brings the greedy tenant into trouble, all of it, and says which transcodes are.
func (n *neighbours) trouble(ctx context.Context) (ids []string, err error) {
	n.hangAgain()
	api := n.tokens["greedy"]
	submit := func(many int, source, output string, until func(*devstack.Transcode) bool) error {
		var these []string
		for range many {
			t, err := api.Submit(ctx, &devstack.Request{
				Source: devstack.Location{URL: source}, Output: devstack.Location{URL: output},
				CallbackURL: n.receivers[len(ids)%len(n.receivers)] + "/" + strconv.Itoa(len(ids)), Profiles: ladder()[2:],
			})
			if err != nil {
				return err
			}
			these, ids = append(these, t.ID), append(ids, t.ID)
			if until != nil {
				continue
			}
			if err := n.cancel(ctx, t.ID); err != nil {
				return err
			}
		}
		if until == nil {
			return nil
		}
		for _, id := range these {
			if _, err := api.Await(ctx, id, until); err != nil {
				return err
			}
		}
		return nil
	}
	stalls := "s3+http://key:secret@" + n.storage + "/bucket/out"
	return ids, errors.Join(
		submit(neighbourEnds, n.short, stalls, nil),
		submit(neighbourStalls, n.short, stalls, func(t *devstack.Transcode) bool { return t.State == "storing" }),
		submit(neighbourTrickles, "http://"+n.sources+"/film.mp4", stalls, func(t *devstack.Transcode) bool { return t.Stage == "fetch" }),
	)
}

// cancel ends one of the greedy tenant, unless it has ended.
func (n *neighbours) cancel(ctx context.Context, id string) error {
	var refused *devstack.StatusError
	if _, err := n.tokens["greedy"].Cancel(ctx, id); err != nil && (!errors.As(err, &refused) || refused.Status != http.StatusConflict) {
		return err
	}
	return nil
}

// over ends the trouble: the next round's first transcode is alone.
func (n *neighbours) over(ctx context.Context, ids []string) error {
	n.letGo()
	for _, id := range ids[neighbourEnds:] {
		if err := n.cancel(ctx, id); err != nil {
			return err
		}
	}
	tick := time.NewTicker(fairLook)
	defer tick.Stop()
	for {
		var busy bool
		if err := n.db.QueryRow(ctx, `SELECT EXISTS (SELECT FROM weir.attempts WHERE cleaned_at IS NULL)
			OR EXISTS (SELECT FROM weir.river_job WHERE kind IN ('transcode', 'store') AND state IN ('available', 'running'))`).Scan(&busy); err != nil {
			return fmt.Errorf("look whether the trouble is over: %w", errors.Join(err, context.Cause(ctx)))
		}
		if !busy {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}
