package mistsim

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// maxRequest bounds an API request.
const maxRequest = 16 << 20

func (s *Server) apiRoutes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+FaultsPath, s.serveFaults)
	mux.HandleFunc("POST "+FaultsPath, s.serveFaults)
	mux.HandleFunc("POST "+ForgePath, s.serveForge)
	mux.HandleFunc("/", s.serveAPI)
	return s.owned(mux)
}

func (s *Server) serveAPI(w http.ResponseWriter, r *http.Request) {
	if !s.misbehave(r) {
		panic(http.ErrAbortHandler) // closes the connection without an answer
	}
	full, minimal := r.URL.Path == "/api", r.URL.Path == "/api2"
	request, ok := readCommand(w, r)
	if !ok && !full && !minimal {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<!DOCTYPE html><html><head><title>MistServer MI</title></head><body></body></html>")
		return
	}
	reply := object{}
	var body bytes.Buffer
	s.apiMu.Lock()
	authorized := s.authorize(r, request, reply)
	if authorized {
		s.command(request, reply, full)
	}
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(reply) // shares maps with the storage, so still locked
	s.apiMu.Unlock()
	if err != nil {
		s.log.Error("encode API reply", "error", err)
	}
	body.WriteByte('\n') // with the encoder's own: two
	if !authorized {
		if !s.upstream() {
			wait(r.Context(), s.cfg.Timing.LoginPause)
		}
		if state, _ := r.Context().Value(loginKey{}).(*login); state != nil && state.refused >= maxLogins {
			w.Header().Set("Connection", "close")
		}
	}
	w.Header().Set("Content-Type", "text/javascript")
	_, _ = w.Write(body.Bytes())
}

// readCommand applies Mist's rule: JSON only under exactly application/json,
// else the variable "command". Anything else is an empty request, answered 200.
func readCommand(w http.ResponseWriter, r *http.Request) (object, bool) {
	text := []byte(r.URL.Query().Get("command"))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		return object{}, false
	}
	switch r.Header.Get("Content-Type") {
	case "application/json":
		text = body
	case "application/x-www-form-urlencoded":
		if form, err := url.ParseQuery(string(body)); err == nil && form.Has("command") {
			text = []byte(form.Get("command"))
		}
	}
	var request object
	if err := json.Unmarshal(text, &request); err != nil || request == nil {
		return object{}, false
	}
	return request, true
}

// command runs the request's commands in Mist's fixed order, whatever theirs.
func (s *Server) command(q, reply object, full bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	has := func(name string) bool { _, ok := q[name]; return ok }
	reply["LTS"] = 1

	if in, ok := q["config"].(object); ok {
		s.changeConfig(in)
	}
	if in, ok := q["streams"].(object); ok {
		s.storage.Streams = map[string]object{}
		s.addStreams(in)
	}
	if in, ok := q["addstream"].(object); ok {
		s.addStreams(in)
	}
	if has("deletestream") {
		for _, name := range names(q["deletestream"]) {
			delete(s.storage.Streams, name)
			s.touch()
		}
	}
	if has("capabilities") {
		reply["capabilities"] = capabilities()
	}
	if full || has("streams") {
		reply["streams"] = s.storage.Streams
	} else if has("addstream") || has("deletestream") {
		shown := object{"incomplete list": 1}
		if in, ok := q["addstream"].(object); ok {
			for name := range in {
				if o, ok := s.storage.Streams[name]; ok {
					shown[name] = o
				}
			}
		}
		reply["streams"] = shown
	}
	if full || has("config") {
		out := maps.Clone(s.storage.Config)
		out["iid"], out["version"], out["time"] = s.iid, s.version, time.Now().Unix()
		reply["config"] = out
	}
	if s.upstream() && has("version") {
		reply["version"] = object{"version": s.version, "release": "mistsim"}
	}
	if has("api_endpoint") {
		reply["api_endpoint"] = "udp://" + s.addr
	}
	if full || has("log") {
		reply["log"] = tuples(s.logs, s.upstream())
	}
	if has("active_streams") {
		reply["active_streams"] = s.activeStreams(q["active_streams"])
	}
	if name, ok := q["nuke_stream"].(string); ok {
		s.nuke(sanitize(name))
	}
	if has("push_start") {
		stream, target := pushArguments(q["push_start"])
		s.startPush(sanitize(stream), target)
	}
	if has("proc_list") {
		stream, _ := q["proc_list"].(string)
		reply["proc_list"] = s.listProcesses(stream)
	}
	if has("push_list") {
		reply["push_list"] = s.listPushes()
	}
	if has("push_stop") {
		s.signalPushes(q["push_stop"])
	}
	s.publish()
}

func (s *Server) changeConfig(in object) {
	if len(in) == 0 {
		return
	}
	for _, key := range []string{"debug", "protocols", "controller", "serverid", "accesslog", "prometheus"} {
		if v, ok := in[key]; ok {
			s.storage.Config[key] = v
		}
	}
	if v, ok := in["triggers"]; ok { // replaced as a whole
		if triggers, ok := v.(object); ok {
			s.storage.Config["triggers"] = triggers
		} else {
			delete(s.storage.Config, "triggers")
		}
	}
	s.touch()
}

// addStreams stores streams whose name is acceptable; others vanish silently.
func (s *Server) addStreams(in object) {
	for name, v := range in {
		o, ok := v.(object)
		if !ok || name == "" || len(name) > maxName || sanitize(name) != name {
			continue
		}
		o = maps.Clone(o)
		o["name"] = name
		s.storage.Streams[name] = o
	}
	s.touch()
}

// names reads the three forms of a list of streams.
func names(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		var out []string
		for _, e := range v {
			if name, ok := e.(string); ok {
				out = append(out, name)
			}
		}
		return out
	case object:
		return slices.Sorted(maps.Keys(v))
	}
	return nil
}

func pushArguments(v any) (stream, target string) {
	switch v := v.(type) {
	case object:
		stream, _ = v["stream"].(string)
		target, _ = v["target"].(string)
	case []any:
		if len(v) >= 2 {
			stream, _ = v[0].(string)
			target, _ = v[1].(string)
		}
	}
	return stream, target
}

// number reads an integer that may come as a string.
func number(v any) (int, bool) {
	switch v := v.(type) {
	case float64:
		return int(v), true
	case string:
		n, err := strconv.Atoi(v)
		return n, err == nil
	}
	return 0, false
}

// capabilities is the small part of the real answer that the stand-in has.
func capabilities() object {
	named := func(name, desc string) object { return object{"name": name, "desc": desc} }
	return object{
		"inputs":     object{"TS": named("TS", "MPEG2-TS files"), "Buffer": named("Buffer", "Live streams")},
		"connectors": object{"HTTPTS": named("HTTPTS", "MPEG2-TS recordings")},
		"processes":  object{"Livepeer": named("Livepeer", "Livepeer network encoding")},
	}
}
