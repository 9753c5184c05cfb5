package mistsim

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"weir/internal/mistsim/shm"
)

const (
	// ShmDirEnv names the folder in which inputs keep their pages; Config.ShmDir
	// comes first.
	ShmDirEnv = "MISTSIM_SHM_DIR"
	// defaultShmDir is where a real host has them.
	defaultShmDir = "/dev/shm"
)

// Names of pages, as in lib/defines.h. A data page's number is that of its first
// keyframe.
func metaPage(stream string) string { return "MstMeta" + stream }

func dataPage(stream string, track, firstKey int) string {
	return fmt.Sprintf("MstData%s@%d_%d", stream, track, firstKey)
}

// inputOrder says what an input process is to keep.
func (s *Server) inputOrder(in *input) *shm.InputOrder {
	order := &shm.InputOrder{Dir: s.cfg.ShmDir, Meta: metaPage(in.stream), Stop: s.cfg.Timing.InputStop, Deaf: in.source.State == shm.Booting}
	for _, t := range in.source.Tracks {
		for _, page := range t.Pages {
			order.Pages = append(order.Pages, shm.Page{Name: dataPage(in.stream, t.Index, page.FirstKey), Bytes: page.Bytes})
		}
	}
	return order
}

// serveInput takes on a source's input process and keeps the answer open while it
// lives, so that each notices at once when the other is gone.
func (s *Server) serveInput(w http.ResponseWriter, r *http.Request) {
	var a shm.Attach
	if err := json.NewDecoder(r.Body).Decode(&a); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	in := s.inputs[a.Source]
	if in == nil {
		in = s.booting[a.Source]
	}
	if in == nil || in.pid != 0 {
		s.mu.Unlock()
		http.Error(w, fmt.Sprintf("stream %s wants no input", a.Source), http.StatusNotFound)
		return
	}
	in.pid = a.PID
	order := s.inputOrder(in)
	s.mu.Unlock()
	_ = json.NewEncoder(w).Encode(order)
	_ = http.NewResponseController(w).Flush()
	<-r.Context().Done()
	s.mu.Lock()
	in.pid = 0
	close(in.gone)
	s.mu.Unlock()
}

// inputEnded is an input's goodbye after SIGTERM.
func (s *Server) inputEnded(a *shm.Attach) {
	var events []event
	s.mu.Lock()
	if in := s.inputs[a.Source]; in != nil && in.pid == a.PID {
		in.pid = 0 // it needs no signal more
		events = s.endInput(in)
	}
	s.mu.Unlock()
	for _, e := range events {
		s.fire(e)
	}
}

// wipe is the rest of MistUtilNuke's work on a source: it waits for the input, kills
// what does not go, and removes what is left in shared memory. Upstream unlinks the
// metadata before it lists the data pages by it, so the data of an input that was
// killed stays for good.
func (s *Server) wipe(stream string, in *input) {
	if in != nil && in.pid > 0 {
		pid := in.pid
		s.run(func() {
			patience := time.NewTimer(s.nukePatience())
			defer patience.Stop()
			select {
			case <-in.gone:
			case <-s.ctx.Done():
				return
			case <-patience.C:
				_ = syscall.Kill(pid, syscall.SIGKILL)
				<-in.gone
			}
			s.removePages(stream)
		})
		return
	}
	s.removePages(stream)
}

// removePages removes what a dead input left: on Upstream its metadata only.
func (s *Server) removePages(stream string) {
	entries, err := os.ReadDir(s.cfg.ShmDir)
	if err != nil {
		s.log.Error("list pages", "error", err)
		return
	}
	for _, e := range entries {
		name := e.Name()
		if name != metaPage(stream) && (s.upstream() || !strings.HasPrefix(name, "MstData"+stream+"@")) {
			continue
		}
		if err := os.Remove(filepath.Join(s.cfg.ShmDir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			s.log.Error("remove page", "error", err)
		}
	}
}

// nukePatience is how long a nuke waits for an input before it kills it.
func (s *Server) nukePatience() time.Duration {
	const up, lp = 6 * time.Second, 10 * time.Second // src/utils/util_nuke.cpp
	if s.upstream() {
		return up
	}
	return lp
}
