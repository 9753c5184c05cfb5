package jobs

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"weir/db/dbsqlc"
)

// A simulation of one transcode, from its first placement to its end, with everything
// around it made up by a seed: what Mist, the process, the stores and the triggers do,
// and in which order. [Plan] and [decide] say what happens; their effects on rows are
// those of the queries in sql/. Nothing sleeps: time is a number.

const (
	// propertySeed replays one run and tells all that happens in it.
	propertySeed = "PROPERTY_SEED"
	propertyRuns = 4000
	// trouble is how long a run's faults go on; then it has to come to its end.
	trouble = 3 * time.Minute
	// endsWithin is what the slowest run needs from there: a wait that has grown with
	// trouble, a silent Mist, a process that stands still, and then two more attempts.
	endsWithin = 15 * time.Minute
	// purityEvery: comparing all rows at each step would be most of the time.
	purityEvery = 64
	// logShownLines: a run that does not end says the same for long.
	logShownLines = 300
	// trackApart is between two tracks, mediaFrom the shortest time to transcode.
	trackApart = 500 * time.Millisecond
	mediaFrom  = 5 * time.Second
)

// TestPropertyEnds: whatever happens, a transcode ends, once, and succeeds only with
// evidence; and all its attempts are cleaned up.
func TestPropertyEnds(t *testing.T) {
	t.Parallel()
	ends, did := map[string]int{}, map[Do]int{}
	simulate(t, propertyRuns, func(s *sim) {
		s.chaos = s.anyChaos()
		s.run()
		ends[s.transcode.State]++
		for do, n := range s.did {
			did[do] += n
		}
	})
	if os.Getenv(propertySeed) != "" {
		return
	}
	t.Logf("%d runs: %v; %v", propertyRuns, ends, did)
	// The seeds reach every end and every action, or they would prove little.
	require.Len(t, ends, 3)
	require.Len(t, did, 13)
}

// TestPropertyTriggersAreHints: triggers that are lost, doubled, late or in another
// order cost seconds, and no attempt.
func TestPropertyTriggersAreHints(t *testing.T) {
	t.Parallel()
	const dear = 10 * time.Second
	simulate(t, propertyRuns/4, func(s *sim) {
		s.run()
		hints := newSim(s.seed, s.log != nil)
		hints.chaos = chaos{lost: hints.some(), doubled: hints.some(), late: hints.some()}
		if hints.is(0.5) {
			hints.chaos.lost = 1
		}
		hints.run()
		with, without := s.now.Sub(s.began), hints.now.Sub(hints.began)
		for _, one := range []*sim{s, hints} {
			one.check(one.transcode.State == StateSucceeded && one.transcode.Attempt == 1,
				"%s in attempt %d", one.transcode.State, one.transcode.Attempt)
		}
		hints.check(without <= with+dear, "%s with all triggers, %s without", with, without)
		s.log = append(s.log, hints.log...)
	})
}

// simulate runs f with seeds, or with the one that the environment names.
func simulate(t *testing.T, runs int, f func(*sim)) {
	t.Helper()
	first, last := uint64(1), uint64(runs)
	if text := os.Getenv(propertySeed); text != "" {
		seed, err := strconv.ParseUint(text, 10, 64)
		require.NoError(t, err, "%s must be a number", propertySeed)
		first, last = seed, seed
	}
	for seed := first; seed <= last; seed++ {
		s := newSim(seed, first == last)
		func() {
			defer func() {
				if s.log != nil {
					t.Log("\n" + strings.Join(s.log[max(0, len(s.log)-logShownLines):], "\n"))
				}
				if broken, is := recover().(broken); is {
					require.Fail(t, string(broken), "replay: %s=%d go test ./jobs/ -run '%s'", propertySeed, seed, t.Name())
				}
			}()
			f(s)
		}()
	}
}

// broken is a promise that a run broke.
type broken string

// chaos is how likely each fault is at its occasions.
type chaos struct {
	// Triggers.
	lost, doubled, late, forged float64
	// MistProcLivepeer, pushes, Mist. A start hangs; a push loses the race against the
	// process's end.
	startHangs, loses, dies, hangs, missing, cut, empty, refuses, silent float64
	// The daemon: it restarts, also between an effect and its row; it can't renew its
	// lease; it dies with its host, and may come back.
	restarts, crashes, unrenewed, dead float64
	// No host has a slot.
	full float64
	// Steps and stores.
	steps, stepsForGood, stores, storesForGood, storesCrash float64
	// People.
	cancels, retries float64
	// races: something happens between a plan and what is done of it.
	races float64
}

// sim is a transcode's rows and the world around them.
type sim struct {
	seed       uint64
	rng        *rand.Rand
	chaos      chaos
	began, now time.Time
	steps      int
	writes     int // that changed a row
	did        map[Do]int
	log        []string // nil: nobody reads it

	transcode  dbsqlc.Transcode
	renditions []dbsqlc.Rendition
	outputs    []dbsqlc.Output // of every other seed, one
	machines   []*machine
	eaten      map[int32]int // attempts that counted, by run
	callbacks  map[int32]int // by run
	mail       []trigger
	judged     map[string]bool // renditions whose whole file a store has judged
}

// trigger is one on its way.
type trigger struct {
	at    time.Time
	apply func()
}

// machine is an attempt: its row, its supervisor's memory, and what is real on its host.
type machine struct {
	row dbsqlc.Attempt

	done, gone bool // the supervisor has ended; it let go
	seen       Seen
	tracksFrom time.Time

	dead               bool
	leaseUntil, backAt time.Time
	started, hung      bool
	hungAt             time.Time // its start did; zero: it did not
	says               bool      // and its log says so
	alive              bool
	refuses            bool // pushes, for ever
	refused            map[string]bool
	media              time.Duration
	ran                time.Duration
	silentUntil        time.Time
	missing            map[int32]bool // tracks that never come
	tracks             map[int32]bool
	pushes             map[string]*listed
	files              map[string]file
	stores             map[string]bool
	packs              bool // its package job is there
}

// file is one in the spool.
type file struct {
	bytes int64
	whole bool
}

// listed is a push that Mist lists.
type listed struct{ cut, empty bool }

func newSim(seed uint64, logged bool) *sim {
	s := &sim{
		seed: seed, rng: rand.New(rand.NewPCG(seed, 0)), did: map[Do]int{},
		callbacks: map[int32]int{}, eaten: map[int32]int{}, judged: map[string]bool{},
		began: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC),
	}
	if logged {
		s.log = []string{fmt.Sprintf("seed %d", seed)}
	}
	s.now = s.began
	s.transcode = dbsqlc.Transcode{State: StateQueued, Run: 1, AttemptsLeft: maxAttempts, NotBefore: s.now}
	for i := range 1 + s.rng.IntN(3) {
		s.renditions = append(s.renditions, dbsqlc.Rendition{Name: string(rune('a' + i)), Ordinal: int32(i), State: RenditionExpected})
	}
	if seed%2 == 0 {
		s.transcode.Packages = true
		s.outputs = []dbsqlc.Output{{Type: OutputHLS, State: OutputExpected}}
	}
	return s
}

func (s *sim) is(p float64) bool { return p > 0 && s.rng.Float64() < p }

// some is a likelihood: mostly none, at times high.
func (s *sim) some() float64 { return []float64{0, 0, 0, 0.02, 0.1, 0.4}[s.rng.IntN(6)] }

// anyChaos is another mix for every seed.
func (s *sim) anyChaos() chaos {
	if s.is(0.05) {
		// The longest way to success: a dead host comes back and stores what it has,
		// while the next attempt waits for a slot.
		return chaos{stores: 0.9, dead: 0.02, full: 0.98}
	}
	often := s.some
	seldom := func() float64 { return s.some() / 20 }
	long := func() float64 { return []float64{0, 0, 0.5, 0.98}[s.rng.IntN(4)] }
	return chaos{
		lost: often(), doubled: often(), late: often(), forged: seldom(),
		startHangs: often(), loses: often(), dies: seldom(), hangs: seldom(), missing: often(), cut: seldom(), empty: often(), refuses: often(), silent: seldom(),
		restarts: often(), crashes: often(), unrenewed: seldom(), dead: often() / 5,
		full:  []float64{0, 0, 0.9, 0.99}[s.rng.IntN(4)],
		steps: often(), stepsForGood: seldom(), stores: long(), storesForGood: seldom(), storesCrash: often(),
		cancels: seldom() / 10, retries: often(), races: often(),
	}
}

func (s *sim) check(holds bool, format string, args ...any) {
	if !holds {
		panic(broken(fmt.Sprintf("seed %d, step %d: ", s.seed, s.steps) + fmt.Sprintf(format, args...)))
	}
}

func (s *sim) tell(format string, args ...any) {
	if s.log != nil {
		s.log = append(s.log, fmt.Sprintf("%8s  ", s.now.Sub(s.began).Round(time.Millisecond))+fmt.Sprintf(format, args...))
	}
}

// run brings the transcode to its end: faults for a while, and then none but those
// that last.
func (s *sim) run() {
	for {
		s.steps++
		age := s.now.Sub(s.began)
		s.check(age < trouble+endsWithin, "no end: %s, attempt %d", s.transcode.State, s.transcode.Attempt)
		if age > trouble {
			s.chaos = chaos{}
		}
		s.place()
		s.reap()
		busy, ended := false, Terminal(s.transcode.State)
		for _, m := range s.machines {
			switch {
			case m.dead && s.chaos.dead > 0 && m.backAt.Before(s.now):
				m.dead = false
			case !m.dead && s.is(s.chaos.dead):
				s.die(m)
			}
			if m.dead {
				continue
			}
			if !m.done {
				busy = s.supervise(m) || busy
			}
			s.store(m)
			s.pack(m)
			ended = ended && (m.dead || m.done && len(m.stores) == 0 && !m.packs)
		}
		if ended && s.transcode.State == StateFailed && s.is(s.chaos.retries) {
			s.retry()
		} else if ended {
			return
		}
		if pause := 10 * time.Millisecond; busy {
			s.pass(pause)
		} else {
			s.pass(pause + time.Duration(s.rng.Int64N(int64(PollEvery))))
		}
	}
}

// pass lets time go by, and the world move.
func (s *sim) pass(pause time.Duration) {
	s.now = s.now.Add(pause)
	for _, m := range s.machines {
		s.move(m, pause)
	}
	due := s.mail
	s.mail = nil
	for _, t := range due {
		if t.at.After(s.now) {
			s.mail = append(s.mail, t)
		} else {
			t.apply()
		}
	}
	if s.is(s.chaos.forged) {
		s.forge()
	}
	if !Terminal(s.transcode.State) && s.is(s.chaos.cancels) {
		s.tell("cancel")
		f := Failed(CodeCancelled, StageQueue, "")
		s.failRenditions(f, RenditionExpected, RenditionPushing, RenditionPushed)
		s.end(StateCancelled, OutcomeCancelled)
	}
}

// move is Mist's side of an attempt: tracks come, files grow, pushes and the process end.
func (s *sim) move(m *machine, pause time.Duration) {
	const crashes = 45 * time.Second // what a hung start does in the end
	if !m.hungAt.IsZero() && s.now.Sub(m.hungAt) > crashes {
		m.alive = false
	}
	if m.alive && !m.hung {
		m.ran += pause
		m.hung = s.is(s.chaos.hangs)
		m.alive = m.ran < m.media && !s.is(s.chaos.dies)
		for _, r := range s.renditions {
			if i := r.Ordinal; !m.tracks[i] && !m.missing[i] && m.ran > time.Duration(i+1)*trackApart {
				m.tracks[i] = true
				s.send("LIVE_TRACK_LIST", func() { s.setTrack(m.row.Number, i, i) })
			}
		}
	}
	if s.is(s.chaos.silent) {
		m.silentUntil = s.now.Add(time.Duration(s.rng.Int64N(int64(2 * mistPatience))))
	}
	for _, name := range slices.Sorted(maps.Keys(m.pushes)) {
		push, written := m.pushes[name], m.files[name]
		if m.alive && !m.hung && !push.empty {
			written.bytes += 1 + s.rng.Int64N(1000)
			m.files[name] = written
		}
		if m.alive && !s.is(s.chaos.cut) && !push.cut {
			continue
		}
		delete(m.pushes, name)
		if written.bytes == 0 {
			continue
		}
		written.whole = !push.cut && m.ran >= m.media
		reason := "CLEAN_INTENDED_STOP"
		if !m.alive && s.is(s.chaos.loses) {
			written.whole, reason = false, lostReasons[s.rng.IntN(len(lostReasons))]
		}
		m.files[name] = written
		s.send("RECORDING_END", func() { s.setRecorded(m.row.Number, name, written.bytes, reason) })
		s.send("PUSH_END", func() {}) // it only wakes
	}
}

// send puts a trigger on its way.
func (s *sim) send(name string, apply func()) {
	for range 2 {
		delay := 250 * time.Millisecond
		if s.is(s.chaos.late) {
			delay = time.Duration(s.rng.Int64N(int64(time.Minute)))
		}
		if !s.is(s.chaos.lost) {
			s.mail = append(s.mail, trigger{s.now.Add(delay), func() { s.tell("%s", name); apply() }})
		}
		if !s.is(s.chaos.doubled) {
			return
		}
	}
}

// forge applies a trigger that Mist never sent: of any attempt, for any rendition.
func (s *sim) forge() {
	r := s.renditions[s.rng.IntN(len(s.renditions))]
	attempt := s.rng.Int32N(s.transcode.Attempt + 2)
	s.tell("forged for %s of attempt %d", r.Name, attempt)
	switch s.rng.IntN(3) {
	case 0:
		s.setTrack(attempt, r.Ordinal, s.rng.Int32N(8))
	case 1:
		bytes := s.rng.Int64N(5000)
		for _, m := range s.machines {
			if file := m.files[r.Name]; m.row.Number == attempt && file.bytes > 0 && s.is(0.5) {
				bytes = file.bytes // who forges may see how large it is
			}
		}
		s.setRecorded(attempt, r.Name, bytes, "forged")
	default: // PUSH_END, which only wakes
	}
}

// place is a placement round, with TranscodePlace, RenditionExpect and AttemptInsert.
func (s *sim) place() {
	t := &s.transcode
	if t.State != StateQueued || t.NotBefore.After(s.now) || s.is(s.chaos.full) {
		return
	}
	s.check(t.AttemptsLeft > 0, "queued with no attempt left")
	t.Attempt++
	t.AttemptsLeft--
	s.become(StatePlaced)
	for i := range s.renditions {
		if r := &s.renditions[i]; r.State != RenditionOK && r.Attempt < t.Attempt {
			*r = dbsqlc.Rendition{Name: r.Name, Ordinal: r.Ordinal, State: RenditionExpected, Attempt: t.Attempt}
		}
	}
	for i := range s.outputs {
		if o := &s.outputs[i]; (o.State == OutputExpected || o.State == OutputFailed) && o.Attempt < t.Attempt {
			*o = dbsqlc.Output{Type: o.Type, State: OutputExpected, Attempt: t.Attempt}
		}
	}
	m := &machine{
		row:     dbsqlc.Attempt{Number: t.Attempt, Stage: AttemptPlaced},
		refuses: s.is(s.chaos.refuses), missing: map[int32]bool{}, tracks: map[int32]bool{}, refused: map[string]bool{},
		// The same in every run of a seed, whatever else it throws the dice for.
		media:  mediaFrom + time.Duration(s.seed%8)*time.Second,
		pushes: map[string]*listed{}, files: map[string]file{}, stores: map[string]bool{},
	}
	for _, r := range s.renditions {
		m.missing[r.Ordinal] = s.is(s.chaos.missing)
	}
	s.machines = append(s.machines, m)
	s.tell("placed, attempt %d", t.Attempt)
}

// reap is the reaper's, of a host that is dead for longer than its lease.
func (s *sim) reap() {
	if len(s.machines) == 0 || !slices.Contains([]string{StatePlaced, StateRunning, StateStoring}, s.transcode.State) {
		return
	}
	m := s.machines[len(s.machines)-1]
	if !m.dead || s.now.Before(m.leaseUntil) {
		return
	}
	s.tell("reaped")
	f := Failed(CodeHostLost, StageTranscode, "")
	v := outcomeOf(&s.transcode, f, s.now.Sub(s.began))
	if v.state == StateFailed {
		s.failRenditions(f, RenditionExpected, RenditionPushing, RenditionPushed)
		s.end(StateFailed, OutcomeFailed)
		return
	}
	s.endAttempt(OutcomeLost)
	s.requeue(v)
}

// supervise is a round of [supervisor.supervise]; false: it waits.
func (s *sim) supervise(m *machine) bool {
	switch {
	case s.is(s.chaos.restarts):
		s.restart(m)
	case m.started && s.is(s.chaos.unrenewed):
		m.gone, m.alive = true, false
	}
	if s.transcode.State == StatePlaced && s.transcode.Attempt == m.row.Number {
		s.become(StateRunning) // takeUp
	}
	if m.row.Stage == AttemptStarted && m.row.Outcome == nil {
		s.observe(m)
	}
	m.seen.LetGo = m.gone
	action := s.plan(m)
	if action.Failure != nil && action.Failure.Code == CodeHostLost {
		m.gone = false
	}
	if s.is(s.chaos.races) {
		s.pass(10 * time.Millisecond)
		s.do(m, action)
		return true
	}
	before := s.writes
	moves := s.do(m, action)
	s.check(!moves || s.writes > before, "%q moved no row", action.Do)
	return moves
}

// plan asks [Plan], and at times sees that it is pure.
func (s *sim) plan(m *machine) Action {
	rows := Rows{Transcode: s.transcode, Attempt: m.row, Renditions: slices.Clone(s.renditions), Seen: m.seen}
	action := Plan(rows, s.now)
	s.did[action.Do]++
	if action.Do != DoWait {
		name := ""
		if action.Rendition != nil {
			name = action.Rendition.Name
		}
		s.tell("attempt %d: %s %s %v", m.row.Number, action.Do, name, action.Failure)
	}
	if s.steps%purityEvery == 0 {
		was := s.text(rows)
		again := Plan(rows, s.now)
		s.check(s.text(again) == s.text(action), "the same rows, another plan")
		s.check(s.text(rows) == was, "the plan changed its rows")
	}
	return action
}

func (s *sim) text(v any) string {
	text, err := json.Marshal(v)
	s.check(err == nil, "%v", err)
	return string(text)
}

// observe is [supervisor.observe]: what Mist and the spool say, and tracks that no
// trigger told of.
func (s *sim) observe(m *machine) {
	if s.now.Before(m.silentUntil) {
		if m.seen.SilentFrom.IsZero() {
			m.seen.SilentFrom = s.now
		}
		return
	}
	seen := Seen{At: s.now, ProcessAlive: m.alive, EndedAt: m.seen.EndedAt, ProgressAt: m.seen.ProgressAt,
		Reading: m.hungAt.IsZero(), Posted: m.seen.Posted || len(m.tracks) > 0, Hung: m.says,
		Pushing: map[string]bool{}, Gone: map[string]time.Time{}, FileBytes: map[string]int64{}, Whole: map[string]bool{}, Refused: maps.Clone(m.refused)}
	for name := range m.pushes {
		seen.Pushing[name] = true
	}
	for name, file := range m.files {
		seen.FileBytes[name] = file.bytes
		seen.Whole[name] = file.whole
	}
	for _, r := range s.renditions {
		if r.State == RenditionPushing && !seen.Pushing[r.Name] {
			seen.Gone[r.Name] = s.now
			if since, known := m.seen.Gone[r.Name]; known {
				seen.Gone[r.Name] = since
			}
		}
	}
	if !m.alive && seen.EndedAt.IsZero() {
		seen.EndedAt = s.now
	}
	if seen.ProgressAt.IsZero() || seen.ProcessAlive != m.seen.ProcessAlive ||
		!maps.Equal(seen.FileBytes, m.seen.FileBytes) || !maps.Equal(seen.Pushing, m.seen.Pushing) {
		seen.ProgressAt = s.now
	}
	m.seen = seen
	known := 0
	for _, r := range s.renditions {
		if r.Attempt == m.row.Number && r.TrackIndex != nil {
			known++
		}
	}
	switch {
	case len(m.tracks) <= known:
		m.tracksFrom = time.Time{}
	case m.tracksFrom.IsZero():
		m.tracksFrom = s.now
	case s.now.Sub(m.tracksFrom) >= TrackPatience:
		for i := range m.tracks {
			s.setTrack(m.row.Number, i, i)
		}
	}
}

// die ends a host, for a while or for ever.
func (s *sim) die(m *machine) {
	s.tell("host of attempt %d dies", m.row.Number)
	s.restart(m)
	m.dead, m.alive = true, false
	m.leaseUntil = s.now.Add(LeaseLength)
	m.backAt = s.now.Add(time.Duration(s.rng.Int64N(int64(3 * LeaseLength))))
}

// restart forgets all that is in memory.
func (s *sim) restart(m *machine) {
	s.tell("attempt %d: restart", m.row.Number)
	m.seen, m.gone, m.refused = Seen{}, false, map[string]bool{}
	m.tracksFrom = time.Time{}
}

// do does an action, as [supervisor.step]; it says whether a row has to have moved.
func (s *sim) do(m *machine, action Action) (moves bool) {
	switch action.Do {
	case DoWait:
		return false
	case DoNothing:
		m.done = true
		return false
	case DoFetch, DoPrepare, DoStart:
		return s.advance(m, action.Do)
	case DoStartAgain:
		return s.startAgain(m, action.Rerun)
	case DoPush:
		return s.pushAll(m)
	case DoPushed:
		name := action.Rendition.Name
		s.check(m.files[name].bytes > 0, "%s is pushed without a file", name)
		if r := s.rendition(m.row.Number, name, RenditionExpected, RenditionPushing); r != nil {
			r.State = RenditionPushed
			m.stores[name] = true
		}
	case DoFailRendition:
		s.failRendition(m, action.Rendition.Name, action.Failure)
	case DoFail:
		s.giveUp(m, action.Failure)
	case DoSettle:
		s.settle(m.row.Number)
	case DoFinish:
		if s.transcode.State == StateRunning && s.transcode.Attempt == m.row.Number {
			s.become(StateStoring)
		}
		m.row.Stage = AttemptTranscoded
		s.writes++
	case DoClean:
		m.alive, m.pushes = false, nil
		if s.is(s.chaos.crashes) {
			s.restart(m)
			return false
		}
		now := s.now
		m.row.Stage, m.row.CleanedAt = AttemptCleaned, &now
		s.writes++
	}
	return true
}

// advance is a step whose failure fails the attempt.
func (s *sim) advance(m *machine, do Do) bool {
	switch {
	case s.is(s.chaos.steps):
		s.giveUp(m, Failed(CodeSpoolReserve, StageFetch, ""))
		return true
	case s.is(s.chaos.stepsForGood):
		s.giveUp(m, Failed(CodeSecretUnreadable, StageFetch, ""))
		return true
	}
	if do == DoStart && !m.started {
		m.started, m.alive = true, true
		if s.is(s.chaos.startHangs) {
			m.hung, m.hungAt, m.says = true, s.now, s.is(0.5)
		}
	}
	if s.is(s.chaos.crashes) {
		s.restart(m)
		return false
	}
	s.writes++
	switch do {
	case DoFetch:
		m.row.Stage = AttemptFetched
	case DoPrepare:
		duration := m.media.Milliseconds()
		m.row.Stage, s.transcode.SourceDurationMs = AttemptPrepared, &duration
	default:
		now := s.now
		m.row.Stage, m.row.ProcessStartedAt = AttemptStarted, &now
	}
	return true
}

// startAgain is [supervisor.startAgain]: nothing of the process is left, and what is
// pushed stays.
func (s *sim) startAgain(m *machine, rerun bool) bool {
	m.started, m.alive, m.hung, m.hungAt, m.says, m.ran = false, false, false, time.Time{}, false, 0
	clear(m.pushes)
	clear(m.tracks)
	open := func(r *dbsqlc.Rendition) bool {
		return r.Attempt == m.row.Number && (r.State == RenditionExpected || r.State == RenditionPushing)
	}
	for i := range s.renditions {
		if r := &s.renditions[i]; open(r) {
			delete(m.files, r.Name)
		}
	}
	if s.is(s.chaos.crashes) {
		s.restart(m)
		return false
	}
	if m.row.Stage != AttemptStarted || m.row.Outcome != nil {
		return false // fenced
	}
	s.writes++
	m.row.Stage = AttemptPrepared
	if rerun {
		m.row.Reruns++
	} else {
		m.row.HungStarts++
	}
	s.check(m.row.Reruns <= rerunsMost && m.row.HungStarts <= hungStartsMost, "%d reruns, %d hung starts", m.row.Reruns, m.row.HungStarts)
	for i := range s.renditions {
		if r := &s.renditions[i]; open(r) {
			*r = dbsqlc.Rendition{Name: r.Name, Ordinal: r.Ordinal, State: RenditionExpected, Attempt: r.Attempt, PushedMs: r.PushedMs}
		}
	}
	m.seen = Seen{}
	return true
}

// pushAll is [supervisor.pushAll]. One that Mist does not take is tried again.
func (s *sim) pushAll(m *machine) (moves bool) {
	for i := range s.renditions {
		r := &s.renditions[i]
		switch {
		case !Pushable(r, m.row.Number):
		case !m.alive, m.refuses:
			m.refused[r.Name] = true
		case !s.push(m, r):
			return false
		default:
			moves = true
		}
	}
	return moves
}

// push is [supervisor.push]; it says whether the daemon lives on.
func (s *sim) push(m *machine, r *dbsqlc.Rendition) bool {
	if m.pushes[r.Name] == nil {
		// Of a track that is not there nothing comes; a late one misses the beginning.
		there := m.tracks[*r.TrackIndex]
		m.pushes[r.Name] = &listed{cut: !there, empty: !there || s.is(s.chaos.empty)}
		delete(m.files, r.Name)
	}
	if s.is(s.chaos.crashes) {
		s.restart(m)
		return false
	}
	if row := s.rendition(m.row.Number, r.Name, RenditionExpected, RenditionPushing); row != nil {
		row.State = RenditionPushing
	}
	return true
}

// store works on an attempt's pushed files.
func (s *sim) store(m *machine) {
	for _, name := range slices.Sorted(maps.Keys(m.stores)) {
		if s.is(s.chaos.stores) || s.is(s.chaos.storesCrash) {
			continue // River tries again
		}
		r := s.rendition(m.row.Number, name, RenditionPushed)
		delete(m.stores, name)
		switch {
		case r == nil:
			// It is nobody's any more.
		case s.is(s.chaos.storesForGood):
			s.failRendition(m, name, Failed(CodeSecretUnreadable, StageStore, ""))
		case !m.files[name].whole:
			s.failRendition(m, name, Failed(CodeRenditionMissing, StageStore, ""))
		default:
			r.State = RenditionOK
			s.judged[name] = true
			s.settle(m.row.Number)
		}
	}
}

// pack works on an attempt's outputs, as its package job does.
func (s *sim) pack(m *machine) {
	if !m.packs || s.is(s.chaos.stores) || s.is(s.chaos.storesCrash) {
		return // River tries again
	}
	m.packs = false
	t := &s.transcode
	if t.Attempt != m.row.Number || m.row.Outcome != nil || Terminal(t.State) || t.State == StateQueued {
		return
	}
	for i := range s.renditions {
		s.check(s.renditions[i].State == RenditionOK, "packaged with %s %s", s.renditions[i].Name, s.renditions[i].State)
	}
	if s.is(s.chaos.storesForGood) {
		s.failOutputs(Failed(CodeSecretUnreadable, StagePackage, ""))
	} else {
		for i := range s.outputs {
			if o := &s.outputs[i]; o.Attempt == m.row.Number && o.State == OutputExpected {
				o.State = OutputOK
				s.writes++
			}
		}
	}
	s.settle(m.row.Number)
}

// failOutputs is OutputFailOpen.
func (s *sim) failOutputs(f *Failure) {
	for i := range s.outputs {
		if o := &s.outputs[i]; o.State == OutputExpected {
			stage := string(f.Stage)
			o.State, o.ErrorCode, o.ErrorStage, o.ErrorMessage = OutputFailed, &f.Code, &stage, &f.Text
			s.writes++
		}
	}
}

// rendition is a fenced write's row: of this attempt, in one of these states; else nil.
func (s *sim) rendition(attempt int32, name string, states ...string) *dbsqlc.Rendition {
	for i := range s.renditions {
		if r := &s.renditions[i]; r.Name == name && r.Attempt == attempt && slices.Contains(states, r.State) {
			s.writes++
			return r
		}
	}
	return nil
}

// setTrack is RenditionSetTrack.
func (s *sim) setTrack(attempt, ordinal, index int32) {
	r := &s.renditions[ordinal]
	if r.Attempt == attempt && r.State == RenditionExpected && r.TrackIndex == nil {
		r.TrackIndex = &index
	}
}

// setRecorded is RenditionSetRecorded.
func (s *sim) setRecorded(attempt int32, name string, bytes int64, reason string) {
	if r := s.rendition(attempt, name, RenditionExpected, RenditionPushing); r != nil {
		r.RecordedBytes, r.RecordedReason = &bytes, &reason
	}
}

// failRendition is RenditionFail, and settle.
func (s *sim) failRendition(m *machine, name string, f *Failure) {
	if r := s.rendition(m.row.Number, name, RenditionExpected, RenditionPushing, RenditionPushed); r != nil {
		s.fail(r, f)
	}
	s.settle(m.row.Number)
}

// giveUp is [supervisor.giveUp].
func (s *sim) giveUp(m *machine, f *Failure) {
	s.tell("attempt %d: given up for %s", m.row.Number, f.Code)
	for i := range s.renditions {
		if r := s.rendition(m.row.Number, s.renditions[i].Name, RenditionExpected, RenditionPushing); r != nil {
			s.fail(r, f)
		}
	}
	s.settle(m.row.Number)
}

// failRenditions is RenditionFailOpen.
func (s *sim) failRenditions(f *Failure, states ...string) {
	for i := range s.renditions {
		if r := &s.renditions[i]; slices.Contains(states, r.State) {
			s.fail(r, f)
		}
	}
}

func (s *sim) fail(r *dbsqlc.Rendition, f *Failure) {
	stage := string(f.Stage)
	r.State, r.ErrorCode, r.ErrorStage, r.ErrorMessage = RenditionFailed, &f.Code, &stage, &f.Text
}

// settle is settle: [decide] decides.
func (s *sim) settle(attempt int32) {
	t := &s.transcode
	if t.Attempt != attempt || Terminal(t.State) || t.State == StateQueued {
		return
	}
	v := decide(t, s.renditions, s.now.Sub(s.began))
	if v.state == StateSucceeded && t.Packages {
		v = decideOutputs(t, s.outputs, s.now.Sub(s.began))
	}
	if v.packages {
		if m := s.machines[len(s.machines)-1]; m.row.PackageFrom == nil {
			now := s.now
			m.row.PackageFrom, m.packs = &now, true
			s.writes++
		}
	}
	switch v.state {
	case StateSucceeded:
		s.end(StateSucceeded, OutcomeSucceeded)
	case StateFailed:
		s.end(StateFailed, OutcomeFailed)
	case StateQueued:
		s.requeue(v)
	}
}

func (s *sim) requeue(v outcome) {
	s.check(v.failure != nil && v.failure.Retriable(), "again after what no attempt mends")
	s.transcode.NotBefore = s.now.Add(v.wait)
	switch {
	case !v.free:
		s.eaten[s.transcode.Run]++
		s.check(v.failure.Eats() && s.eaten[s.transcode.Run] < maxAttempts, "%d attempts that count", s.eaten[s.transcode.Run])
	case v.failure.Code != CodeHostLost:
		s.transcode.FreeTries++
		fallthrough
	default:
		s.transcode.AttemptsLeft++
	}
	s.become(StateQueued)
	s.endAttempt(OutcomeFailed)
}

// end is an end, with its callback.
func (s *sim) end(state, outcome string) {
	s.become(state)
	s.callbacks[s.transcode.Run]++
	s.endAttempt(outcome)
	s.check(s.callbacks[s.transcode.Run] == 1, "two ends of one run")
	for _, r := range s.renditions {
		s.check(r.State == RenditionOK || r.State == RenditionFailed, "%s with %s %s", state, r.Name, r.State)
		s.check(r.State != RenditionOK || s.judged[r.Name], "%s is ok, and nobody judged it", r.Name)
		s.check(r.State == RenditionOK || state != StateSucceeded, "success with %s %s", r.Name, r.State)
	}
	for _, o := range s.outputs {
		s.check(o.State == OutputOK || state != StateSucceeded, "success with an output that is %s", o.State)
	}
}

// endAttempt is AttemptEnd.
func (s *sim) endAttempt(outcome string) {
	if len(s.machines) == 0 {
		return
	}
	if m := s.machines[len(s.machines)-1]; m.row.Outcome == nil {
		m.row.Outcome = &outcome
		s.writes++
	}
}

// retry is an operator's: TranscodeRetry.
func (s *sim) retry() {
	s.tell("retry")
	s.transcode.Run++
	s.become(StateQueued)
	s.transcode.AttemptsLeft, s.transcode.NotBefore = maxAttempts, s.now
}

// become moves the transcode on a way that the schema has (transcodes_check_state).
func (s *sim) become(state string) {
	ways := map[string][]string{
		StateQueued:  {StatePlaced, StateFailed, StateCancelled},
		StatePlaced:  {StateRunning, StateQueued, StateFailed, StateCancelled},
		StateRunning: {StateStoring, StateQueued, StateSucceeded, StateFailed, StateCancelled},
		StateStoring: {StateQueued, StateSucceeded, StateFailed, StateCancelled},
	}
	was := s.transcode.State
	again := was == StateFailed && state == StateQueued && s.callbacks[s.transcode.Run] == 0
	s.check(again || slices.Contains(ways[was], state), "no way from %s to %s", was, state)
	s.tell("%s -> %s", was, state)
	s.transcode.State = state
	s.writes++
}
