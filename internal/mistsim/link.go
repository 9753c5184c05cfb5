package mistsim

import (
	"encoding/json"
	"fmt"
	"net/http"

	"weir/internal/mistsim/shm"
)

// maxLink bounds what a process of the host sends at once: the renditions of
// one segment.
const maxLink = 1 << 30

// linkRoutes is what the host's own processes may ask over the socket.
func (s *Server) linkRoutes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /kickoff", answer(func(a *shm.Attach) (any, error) { return s.begin(a.Source), nil }))
	mux.HandleFunc("POST /input", s.serveInput)
	mux.HandleFunc("POST /inputend", answer(func(a *shm.Attach) (any, error) { s.inputEnded(a); return nil, nil }))
	mux.HandleFunc("POST /attach", s.serveAttach)
	mux.HandleFunc("POST /detach", answer(func(a *shm.Attach) (any, error) { s.detach(a.PID, false); return nil, nil }))
	mux.HandleFunc("POST /ingest", answer(func(in *shm.Ingest) (any, error) { return s.ingest(in) }))
	mux.HandleFunc("POST /stats", answer(func(u *shm.Stats) (any, error) { s.update(u); return nil, nil }))
	mux.HandleFunc("POST /trigger", answer(func(t *shm.Trigger) (any, error) { s.fireFor(t); return nil, nil }))
	mux.HandleFunc("POST /log", answer(func(l *shm.Log) (any, error) { s.logOf(l); return nil, nil }))
	mux.HandleFunc("POST /push", s.servePush)
	mux.HandleFunc("POST /pushed", answer(func(u *shm.PushStatus) (any, error) { s.pushed(u); return nil, nil }))
	return s.owned(mux)
}

func answer[In any](f func(*In) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var in In
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxLink)).Decode(&in); err != nil {
			http.Error(w, fmt.Sprintf("decode %s: %v", r.URL.Path, err), http.StatusBadRequest)
			return
		}
		out, err := f(&in)
		if err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
			return
		}
		_ = json.NewEncoder(w).Encode(out)
	}
}

// serveAttach keeps the answer open while the process lives, so that the host
// notices at once when it is killed, and the process when the host is.
func (s *Server) serveAttach(w http.ResponseWriter, r *http.Request) {
	var a shm.Attach
	if err := json.NewDecoder(r.Body).Decode(&a); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.attach(&a)
	w.WriteHeader(http.StatusOK)
	_ = http.NewResponseController(w).Flush()
	<-r.Context().Done()
	s.detach(a.PID, true)
}

// fireFor fires a trigger on behalf of a process, with the headers that such a
// process sends.
func (s *Server) fireFor(t *shm.Trigger) {
	s.mu.Lock()
	e := event{name: t.Name, stream: t.Stream, body: t.Body, pid: t.PID, cookie: t.Name == recordingEnd}
	if b := s.sinks[t.Stream]; b != nil {
		e.streamUUID = b.uuid
	} else {
		e.streamUUID = newUUID()
	}
	s.mu.Unlock()
	s.fire(e)() // a process ends only when it has told
}
