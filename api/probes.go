package api

import (
	"context"
	"net/http"
	"reflect"
	"time"
)

// readyTimeout is shorter than the patience of load balancers, so that they get
// the answer and not silence.
const readyTimeout = 2 * time.Second

type healthOutput struct{ Body Health }

// Health is the answer of /healthz.
type Health struct {
	Status string `json:"status" enum:"ok"`
}

func (s *server) health(context.Context, *struct{}) (*healthOutput, error) {
	return &healthOutput{Body: Health{Status: "ok"}}, nil
}

type readyOutput struct {
	Status int
	Body   Readiness
}

// Readiness is the answer of /readyz.
type Readiness struct {
	Ready        bool              `json:"ready"`
	Dependencies map[string]string `json:"dependencies" doc:"Each by name: ok or failing."`
}

var readinessType = reflect.TypeFor[Readiness]()

// ready asks all dependencies. Why one fails is for the log: anybody may ask here.
func (s *server) ready(ctx context.Context, _ *struct{}) (*readyOutput, error) {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	out := &readyOutput{Status: http.StatusOK, Body: Readiness{Ready: true, Dependencies: map[string]string{}}}
	for name, err := range s.cfg.Ready(ctx) {
		out.Body.Dependencies[name] = "ok"
		if err != nil {
			s.cfg.Logger.Warn("not ready", "dependency", name, "error", err)
			out.Body.Dependencies[name] = "failing"
			out.Status, out.Body.Ready = http.StatusServiceUnavailable, false
		}
	}
	return out, nil
}
