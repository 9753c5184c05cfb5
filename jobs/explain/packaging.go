package explain

import (
	"fmt"
	"strings"

	"weir/jobs"
)

// packaging explains one of whose renditions outputs are made.
func (e *Explanation) packaging(r *Rows) {
	t, a := &r.Transcode, r.attempt() // the stage says that there is one
	name := given(t.HostID)
	e.Since = *a.PackageFrom
	var open []string
	for i := range r.Outputs {
		if o := &r.Outputs[i]; o.State == jobs.OutputExpected && o.Type != jobs.OutputTS {
			open = append(open, o.Type)
		}
	}
	e.Says = fmt.Sprintf("All its renditions are stored, and %s makes outputs of them: %s.", name, strings.Join(open, ", "))
	if len(open) == 0 {
		e.Says = "All its renditions and outputs are stored, and its end is decided at once."
	}
	for i := range r.Outputs {
		if o := &r.Outputs[i]; o.State == jobs.OutputExpected && o.ErrorCode != nil {
			e.waits(fmt.Sprintf("%s at %s: %s", *o.ErrorCode, given(o.ErrorStage), line(given(o.ErrorMessage))))
			if storageBlame(*o.ErrorCode) {
				e.can("see that its storage answers, and takes what is put there: "+line(o.URL), "")
			}
			break
		}
	}
	gone := e.hostTrouble(r)
	if gone {
		e.Says = fmt.Sprintf("Host %s made its outputs, and is not there; its renditions are all stored.", name)
	}
	e.job(r, a.PackageJobID, jobs.StoreQueue(name), "packaging", "the host gives it another at its next look, within seconds")
	e.trouble(r)
	e.told(r)
	if a.PublishFrom != nil {
		e.saw(a.PublishFrom, "players may find what is published from here on")
	}
	e.saw(a.PackageFrom, "the last rendition was stored")
	e.steps(a)
	e.attempts(r)
	e.next(nil, "it succeeds when all outputs are stored, and its callback is due then")
	if !gone {
		e.next(new(a.PackageFrom.Add(jobs.StorePatience)), fmt.Sprintf("a storage that has not taken them by then fails it with %s", jobs.CodeStoreExpired))
	}
	e.can("see what else the host does", admin+"hosts show "+name)
}
