package mistsim_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"weir/internal/mistsim"
)

func (h *host) forge(name, stream, body string) {
	h.Forge(mistsim.Forgery{Trigger: name, Stream: stream, Body: body})
}

func TestTriggerMatching(t *testing.T) {
	t.Parallel()
	h := setup(t, mistsim.Config{})
	cases := map[string]struct {
		streams []string
		stream  string
		matches bool
	}{
		"all":             {[]string{}, "tr_rend_+a", true},
		"base":            {[]string{"tr_rend_"}, "tr_rend_+a", true},
		"base with plus":  {[]string{"tr_rend_+"}, "tr_rend_+a", false},
		"full name":       {[]string{"x", "tr_rend_+a"}, "tr_rend_+a", true},
		"another":         {[]string{"tr_src_"}, "tr_rend_+a", false},
		"prefix is no +":  {[]string{"tr_src_"}, "tr_src_a", false},
		"without a plus":  {[]string{"tr_src_a"}, "tr_src_a", true},
		"base of another": {[]string{"tr_rend_"}, "tr_rend_x", false},
	}
	sent := 0
	for name, c := range cases {
		h.ask(t, object{"config": object{"triggers": object{
			"PUSH_END": []object{{"handler": h.handler.URL + "/t", "sync": false, "streams": c.streams}},
			"LOG":      []object{{"handler": h.handler.URL + "/t", "sync": false}},
		}}})
		h.forge("PUSH_END", c.stream, name)
		if c.matches {
			sent++
			h.handler.await(t, "PUSH_END", sent)
		}
		h.forge("LOG", "any", "")
	}
	h.handler.await(t, "LOG", len(cases))
	require.Len(t, h.handler.all("PUSH_END"), sent)
}

// listener counts connections and does with them as told.
func listener(t *testing.T, serve func(net.Conn)) (string, <-chan struct{}) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	got := make(chan struct{}, 100)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			got <- struct{}{}
			serve(c)
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return "http://" + l.Addr().String() + "/t", got
}

// TestAsyncClosesAtOnce: the handler reads a whole request, then an end,
// without having answered.
func TestAsyncClosesAtOnce(t *testing.T) {
	t.Parallel()
	h := setup(t, mistsim.Config{})
	ended := make(chan string, 1)
	url, _ := listener(t, func(c net.Conn) {
		defer c.Close()
		in := bufio.NewReader(c)
		req, err := http.ReadRequest(in)
		if err != nil {
			ended <- err.Error()
			return
		}
		body, _ := io.ReadAll(req.Body)
		_, err = in.ReadByte()
		ended <- string(body) + " " + err.Error()
	})
	h.ask(t, object{"config": object{"triggers": object{"PUSH_END": []object{{"handler": url, "sync": false, "streams": []string{}}}}}})
	h.forge("PUSH_END", "s", "payload")
	select {
	case got := <-ended:
		require.Equal(t, "payload EOF", got)
	case <-time.After(patience):
		require.Fail(t, "connection stayed open")
	}
}

// TestFiveAttempts: a sync handler that never answers is asked five times.
func TestFiveAttempts(t *testing.T) {
	t.Parallel()
	h := setup(t, mistsim.Config{Timing: mistsim.Timing{TriggerSilence: 10 * time.Millisecond}})
	ids := make(chan string, 10)
	url, connections := listener(t, func(c net.Conn) {
		defer c.Close()
		if req, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
			ids <- req.Header.Get("X-Trigger-UUID")
			_, _ = io.Copy(io.Discard, c) // until Mist gives up
		}
	})
	h.ask(t, object{"config": object{"triggers": object{"PUSH_END": []object{{"handler": url, "sync": true, "streams": []string{}}}}}})
	h.forge("PUSH_END", "s", "payload")
	require.Len(t, connections, 5)
	first := <-ids
	require.NotEmpty(t, first)
	for range 4 {
		require.Equal(t, first, <-ids, "retries have one id")
	}

	refused := newHandler(t)
	refused.Close()
	h.ask(t, object{"config": object{"triggers": object{"PUSH_END": []object{{"handler": refused.URL, "sync": true, "streams": []string{}}}}}})
	h.forge("PUSH_END", "s", "payload") // returns: all five are burnt at once
}

// TestReorderedTriggers: the one that came first is sent last. They are read one by one, as they
// came: a server that takes each as it gets to it has an order of its own.
func TestReorderedTriggers(t *testing.T) {
	t.Parallel()
	h := setup(t, mistsim.Config{Timing: mistsim.Timing{SessionTick: time.Hour}})
	bodies := make(chan string, 2)
	url, _ := listener(t, func(c net.Conn) {
		defer c.Close()
		if req, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
			body, _ := io.ReadAll(req.Body)
			bodies <- string(body)
		}
	})
	h.ask(t, object{"config": object{"triggers": object{"PUSH_END": []object{{"handler": url, "sync": false, "streams": []string{}}}}}})
	require.NoError(t, h.SetFaults(mistsim.Faults{ReorderTriggers: true}))
	h.forge("PUSH_END", "s", "first")
	h.forge("PUSH_END", "s", "second")
	require.Equal(t, []string{"second", "first"}, []string{<-bodies, <-bodies})
}

func TestTriggerFaults(t *testing.T) {
	t.Parallel()
	h := setup(t, mistsim.Config{Timing: mistsim.Timing{SessionTick: time.Hour}})
	h.register(t)
	require.NoError(t, h.SetFaults(mistsim.Faults{LoseTriggers: []string{"PUSH_END"}, DoubleTriggers: true}))
	h.forge("PUSH_END", "s", "lost")
	h.forge("STREAM_END", "s", "twice")
	twice := h.handler.await(t, "STREAM_END", 2)
	require.Equal(t, twice[0].header.Get("X-Trigger-UUID"), twice[1].header.Get("X-Trigger-UUID"))
	require.Empty(t, h.handler.all("PUSH_END"))

	require.NoError(t, h.SetFaults(mistsim.Faults{ReorderTriggers: true}))
	h.forge("RECORDING_END", "s", "held")
	require.NoError(t, h.SetFaults(mistsim.Faults{DelayTriggersMS: 50}))
	h.handler.await(t, "RECORDING_END", 1)

	began := time.Now()
	h.forge("INPUT_ABORT", "s", "late")
	h.handler.await(t, "INPUT_ABORT", 1)
	require.GreaterOrEqual(t, time.Since(began), 50*time.Millisecond)

	text, _ := h.post(t, mistsim.FaultsPath, "application/json", `{}`)
	require.Equal(t, "{}\n", text)
}
