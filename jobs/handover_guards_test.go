package jobs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// guard is a condition that a write is fenced by: its name in the model, and where it
// is written. In the model it is as long as its clause is in the code.
type guard struct {
	name, file, paragraph, clause string
}

// guards are those that a promise rests on. A condition that repeats another one, or
// that takes more than one rendition to matter, is not among them.
func guards() []guard {
	const (
		attempts   = "../sql/attempts.sql"
		hosts      = "../sql/hosts.sql"
		outputs    = "../sql/outputs.sql"
		renditions = "../sql/renditions.sql"
		transcodes = "../sql/transcodes.sql"
		byAttempt  = "attempt = @attempt"
		byBoot     = "boot_id = @boot_id"
		anyOpen    = "state IN ('queued', 'placed', 'running', 'storing')"
		unpushed   = "state IN ('expected', 'pushing')"
	)
	return []guard{
		{"place: one round", "../sql/locks.sql", "-- name: PlaceLock ", "pg_advisory_xact_lock"},
		{"place: queued", transcodes, "-- name: TranscodePlace ", "state = 'queued' AND"},
		{"place: ok stays", renditions, "-- name: RenditionExpect ", "state <> 'ok'"},
		{"take up: newest boot", attempts, "-- name: AttemptTakeUp ", "h.boot_id = @boot_id"},
		{"start: attempt", transcodes, "-- name: TranscodeStart ", byAttempt},
		{"start: placed", transcodes, "-- name: TranscodeStart ", "state = 'placed'"},
		{"load: boot", "host/transcode.go", "func (s *supervisor) load(", "*rows.Attempt.BootID != s.host.BootID"},
		{"advance: boot", attempts, "-- name: AttemptSetFetched ", byBoot},
		{"advance: boot", attempts, "-- name: AttemptSetPrepared ", byBoot},
		{"advance: boot", attempts, "-- name: AttemptSetStarted ", byBoot},
		{"start again: boot", attempts, "-- name: AttemptStartAgain ", byBoot},
		{"write: boot", "host/push.go", "func (s *supervisor) pushed(", "s.own("},
		{"write: boot", "host/push.go", "func (s *supervisor) failRendition(", "s.own("},
		{"write: boot", "host/giveup.go", "func (s *supervisor) giveUp(", "s.own("},
		{"write: boot", "host/giveup.go", "func (s *supervisor) settle(", "s.own("},
		{"pushed: attempt", renditions, "-- name: RenditionSetPushed ", byAttempt},
		{"pushed: open", renditions, "-- name: RenditionSetPushed ", unpushed},
		{"give up: attempt", renditions, "-- name: RenditionFailUnpushed ", byAttempt},
		{"give up: open", renditions, "-- name: RenditionFailUnpushed ", unpushed},
		{"fail: attempt", renditions, "-- name: RenditionFail ", byAttempt},
		{"fail: open", renditions, "-- name: RenditionFail ", "state IN ('expected', 'pushing', 'pushed')"},
		{"finish: attempt", transcodes, "-- name: TranscodeSetStoring ", byAttempt},
		{"finish: running", transcodes, "-- name: TranscodeSetStoring ", "state = 'running'"},
		{"finish: boot", attempts, "-- name: AttemptSetTranscoded ", byBoot},
		{"store: attempt", renditions, "-- name: RenditionSetOK ", byAttempt},
		{"store: pushed", renditions, "-- name: RenditionSetOK ", "state = 'pushed'"},
		{"settle: ended", "settle.go", "func (d Decider) settle(", "!Works(&t, attempt)"},
		{"succeed: state", transcodes, "-- name: TranscodeSucceed ", "state IN ('running', 'storing')"},
		{"fail: state", transcodes, "-- name: TranscodeFail ", anyOpen},
		{"requeue: state", transcodes, "-- name: TranscodeRequeue ", "state IN ('placed', 'running', 'storing')"},
		{"end: once", attempts, "-- name: AttemptEnd ", "outcome IS NULL"},
		{"cancel: open", "transcodes.go", "func (ts *Transcodes) CancelTx(", "Terminal(t.State)"},
		{"cancel: state", transcodes, "-- name: TranscodeCancel ", anyOpen},
		{"renew: boot", hosts, "-- name: HostRenew ", byBoot},
		{"reap: dead", hosts, "-- name: HostGetDead ", "lease_until < now()"},
		{"reap: holder", "lose.go", "func (d Decider) Lose(", "*t.HostID != host"},
		{"reap: ended", "lose.go", "func (d Decider) Lose(", "Terminal(t.State)"},
		{"reap: all stored", "lose.go", "func (d Decider) lost(", "allOK("},
		{"reap: packages", "lose.go", "func (d Decider) lost(", "!t.Packages"},
		{"package: folder before names", "host/outputs/publish.go", "const (\n\tinFolder ", "playlists        // of renditions, in the folder\n\tbyName "},
		{"package: masters last", "host/outputs/publish.go", "const (\n\tinFolder ", "masters          // of HLS: last of all\n\tphases"},
		{"publish: outcome", attempts, "-- name: AttemptSetPublish ", "a.outcome IS NULL"},
		{"publish: newest", attempts, "-- name: AttemptSetPublish ", "t.attempt = a.number AND t.state IN ('running', 'storing')"},
		{"keep: works", "host/package.go", "func (p *packaging) commit(", "!jobs.Works(&t, p.number())"},
		{"keep: expected", outputs, "-- name: OutputSetOK ", "state = 'expected'"},
		{"fail package: attempt", "outputs.go", "func (d Decider) FailPackage(", "!Works(&t, attempt)"},
		{"fail package: boot", "host/package.go", "func (p *packaging) fail(", "p.own("},
		{"residue: newest", "host/residue.go", "func stale(", "a.Number == t.Attempt && t.State == jobs.StateSucceeded"},
		{"residue: published", "host/residue.go", "func stale(", "case a.PublishFrom == nil:"},
		{"reconcile: packages", hosts, "-- name: HostWork ", "a.package_from IS NOT NULL AND a.outcome IS NULL"},
		{"reconcile: owner", "work.go", "func (w *Work) Abandoned(", "!works(w)"},
		{"reconcile: attempts", hosts, "-- name: HostWork ", "a.cleaned_at IS NULL"},
		{"reconcile: stores", hosts, "-- name: HostWork ", "r.state = 'pushed'"},
	}
}

// missing names the guards that are not in the code as the model knows them.
func missing(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, guard := range guards() {
		text, err := os.ReadFile(filepath.FromSlash(guard.file))
		require.NoError(t, err)
		end := "\n\n"
		if strings.HasSuffix(guard.file, ".go") {
			end = "\n}\n"
		}
		_, paragraph, _ := strings.Cut(string(text), guard.paragraph)
		paragraph, _, _ = strings.Cut(paragraph, end)
		if !strings.Contains(paragraph, guard.clause) {
			names = append(names, guard.name)
		}
	}
	return names
}

// TestHandoverGuards leaves guards out, alone or with those that hold in their place,
// and sees that the checker finds the promise that breaks: it is no rubber stamp, and
// none of them is idle.
func TestHandoverGuards(t *testing.T) {
	t.Parallel()
	small := fleet{hosts: 2, transcodes: 1, attempts: 2, faults: 1}
	packages := fleet{hosts: 2, transcodes: 1, attempts: 2, faults: 1, packages: true}
	named := map[string]bool{}
	for _, test := range []struct {
		without []string
		in      fleet
		broken  string
	}{
		{[]string{"place: one round"}, fleet{hosts: 2, transcodes: 2, attempts: 1}, "more than its slots"},
		{[]string{"place: queued"}, small, "an end was changed"},
		{[]string{"place: ok stays"}, small, "a stored rendition was lost"},
		{[]string{"take up: newest boot"}, small, "an older boot takes"},
		{[]string{"start: attempt"}, small, "an old attempt changes"},
		{[]string{"start: placed"}, small, "an end was changed"},
		{[]string{"write: boot"}, small, "an older boot changes"},
		{[]string{"write: boot", "load: boot"}, small, "an older boot changes"},
		{[]string{"start again: boot"}, small, "an older boot changes"},
		{[]string{"advance: boot"}, small, "an older boot changes"},
		{[]string{"pushed: attempt"}, small, "an old attempt changes"},
		{[]string{"pushed: open"}, small, "an end was changed"},
		{[]string{"give up: attempt"}, small, "an old attempt changes"},
		{[]string{"give up: open"}, small, "an end was changed"},
		{[]string{"fail: attempt"}, small, "an old attempt changes"},
		{[]string{"fail: open"}, small, "an end was changed"},
		{[]string{"finish: attempt"}, small, "an old attempt changes"},
		{[]string{"finish: running"}, small, "an end was changed"},
		{[]string{"finish: boot"}, small, "an older boot changes"},
		{[]string{"store: attempt"}, small, "a store of an old attempt"},
		{[]string{"store: pushed"}, small, "an end was changed"},
		{[]string{"settle: ended", "succeed: state"}, small, "an end was changed"},
		{[]string{"settle: ended", "fail: state"}, small, "an end was changed"},
		{[]string{"settle: ended", "requeue: state"}, small, "an end was changed"},
		{[]string{"end: once"}, small, "two outcomes"},
		{[]string{"cancel: open", "cancel: state"}, small, "an end was changed"},
		{[]string{"renew: boot"}, small, "an older boot keeps the lease"},
		{[]string{"reap: dead"}, small, "taken from a host that is alive"},
		{[]string{"reap: holder"}, small, "taken from a host that is alive"},
		{[]string{"reap: ended", "requeue: state"}, small, "an end was changed"},
		{[]string{"reap: all stored"}, fleet{hosts: 1, transcodes: 1, attempts: 2, faults: 2}, "failed with all its renditions stored"},
		{[]string{"reconcile: owner"}, fleet{hosts: 1, transcodes: 1, attempts: 1, faults: 1}, "nothing brings it to its end"},
		{[]string{"reconcile: attempts"}, fleet{hosts: 1, transcodes: 1, attempts: 1, faults: 1}, "nothing brings it to its end"},
		{[]string{"reconcile: stores"}, fleet{hosts: 1, transcodes: 1, attempts: 1, faults: 1}, "nothing brings it to its end"},
		{[]string{"reap: packages"}, packages, "left with a dead host"},
		{[]string{"package: folder before names"}, packages, "a master names what is not there"},
		{[]string{"package: masters last"}, packages, "a master comes before the rest"},
		{[]string{"publish: outcome", "publish: newest"}, packages, "a master names what is not there"},
		{[]string{"keep: works"}, packages, "outputs are kept, and nothing follows"},
		{[]string{"keep: works", "keep: expected"}, packages, "an end was changed"},
		{[]string{"fail package: attempt"}, packages, "an old attempt changes"},
		{[]string{"fail package: boot"}, packages, "an older boot changes"},
		{[]string{"residue: newest"}, packages, "a master names what is not there"},
		{[]string{"residue: published"}, packages, "a master names what is not there"},
		{[]string{"reconcile: packages"}, fleet{hosts: 1, transcodes: 1, attempts: 1, faults: 1, packages: true}, "nothing brings it to its end"},
	} {
		for _, name := range test.without {
			named[name] = true
		}
		t.Run("without "+strings.Join(test.without, ", "), func(t *testing.T) {
			t.Parallel()
			m := newModel(test.in, test.without...)
			require.Contains(t, m.check(), test.broken)
		})
	}
	require.Empty(t, missing(t), "they are elsewhere in the code, or not at all")
	for _, guard := range guards() {
		require.Contains(t, named, guard.name, "nothing shows that it is needed")
	}
}
