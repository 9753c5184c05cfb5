package checkup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"weir/engine"
	"weir/jobs/doctor"
)

// mistMajor is the MistServer that Weir was tried with.
const mistMajor = 3

func (h *Host) lookAtMist(ctx context.Context) []doctor.Finding {
	info, err := h.Mist.Info(ctx)
	if err != nil {
		mend := ""
		if errors.Is(err, engine.ErrSettings) {
			mend = "correct WEIR_MIST_API, WEIR_MIST_USERNAME and WEIR_MIST_PASSWORD: Mist asks for a login"
		}
		return []doctor.Finding{
			doctor.Wrong(doctor.Fail, doctor.MistAPI, "", mend, "%s", brief(err)),
			doctor.Wrong(doctor.Unknown, doctor.MistVersion, "", doctor.MistAPI.Mend(), "Mist does not answer"),
		}
	}
	found := []doctor.Finding{doctor.Well(doctor.MistAPI, "", "it answers, as instance %s", info.IID)}
	major, readable := majorOf(info.Version)
	switch {
	case !readable:
		return append(found, doctor.Wrong(doctor.Unknown, doctor.MistVersion, "", "", "it calls itself %q", info.Version))
	case major != mistMajor:
		return append(found, doctor.Wrong(doctor.Warn, doctor.MistVersion, "", "", "it is %s; Weir was tried with %d", info.Version, mistMajor))
	}
	return append(found, doctor.Well(doctor.MistVersion, "", "it is %s", info.Version))
}

// majorOf reads the first number of a version, whatever stands before it.
func majorOf(version string) (int, bool) {
	digits := strings.TrimLeft(version, "vV")
	first, _, _ := strings.Cut(digits, ".")
	major, err := strconv.Atoi(first)
	return major, err == nil
}

func (h *Host) lookAtTriggers(ctx context.Context) []doctor.Finding {
	return []doctor.Finding{h.triggersArrive(ctx)}
}

// triggersArrive: Mist has them all, by its own word; what is posted to the address that it
// holds is answered, and arrives in the rows as this host's. Mist itself is not made to post:
// of its two families only one posts anything for a stream that is not there, and to have one
// there costs an input and its memory.
func (h *Host) triggersArrive(ctx context.Context) doctor.Finding {
	lacks, err := h.Mist.Lacks(ctx, h.TriggerURL)
	if err != nil {
		return doctor.Wrong(doctor.Unknown, doctor.MistTrigger, "", doctor.MistAPI.Mend(), "Mist does not answer")
	}
	if listens := listening(ctx, h.TriggerURL); listens != nil {
		return doctor.Wrong(doctor.Fail, doctor.MistTrigger, "", "start weir-daemon on this host, or free the address of WEIR_TRIGGER_LISTEN",
			"nobody of Weir listens at %s: %s", h.TriggerURL, brief(listens))
	}
	if len(lacks) > 0 {
		return doctor.Wrong(doctor.Fail, doctor.MistTrigger, "", "", "Mist does not post %s to %s", strings.Join(lacks, ", "), h.TriggerURL)
	}
	id := doctor.NewProbe()
	if err := probe(ctx, h.TriggerURL, id); err != nil {
		return doctor.Wrong(doctor.Fail, doctor.MistTrigger, "", recordMend, "a trigger that was posted to %s was not taken: %s", h.TriggerURL, brief(err))
	}
	host, err := doctor.TakeProbe(ctx, h.DB, id)
	switch {
	case errors.Is(err, doctor.ErrNoProbe):
		return doctor.Wrong(doctor.Fail, doctor.MistTrigger, "", anotherMend, "a trigger that was posted to %s was answered, and is not in this database", h.TriggerURL)
	case err != nil:
		return doctor.Wrong(doctor.Unknown, doctor.MistTrigger, "", doctor.PostgresReach.Mend(), "the database does not tell whether a trigger arrived: %s", brief(err))
	case !strings.HasSuffix(h.TriggerURL, "/"+host):
		return doctor.Wrong(doctor.Fail, doctor.MistTrigger, "", anotherMend, "a trigger that was posted to %s arrived as host %s's", h.TriggerURL, host)
	}
	return doctor.Well(doctor.MistTrigger, "", "Mist posts all of them to %s, and one that was posted there was recorded", h.TriggerURL)
}

const (
	recordMend  = "look into weir-daemon's log for `trigger not recorded`, and at the checks of Postgres"
	anotherMend = "another weir-daemon listens there: give each its own WEIR_HOST_ID and WEIR_TRIGGER_LISTEN"
)

// probe posts what Mist's triggers look like, marked as ours.
func probe(ctx context.Context, address, id string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(id))
	if err != nil {
		return errors.New("it is no address")
	}
	req.Header.Set("Content-Type", "text/plain")
	req.Header.Set("X-Trigger", doctor.ProbeTrigger)
	req.Header.Set("X-Trigger-UUID", id)
	status, err := ask(req)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("HTTP %d", status)
	}
	return err
}

// listening asks the listener of triggers, which refuses what is no trigger.
func listening(ctx context.Context, address string) error {
	u, err := url.Parse(address)
	if err != nil {
		return errors.New("it is no address")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), http.NoBody)
	if err != nil {
		return errors.New("it is no address")
	}
	status, err := ask(req)
	if err == nil && status != http.StatusMethodNotAllowed {
		err = fmt.Errorf("something else answers there, with HTTP %d", status)
	}
	return err
}

// ask is one request to the listener of triggers, over a connection of its own as Mist's are.
func ask(req *http.Request) (status int, err error) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		if wrapped, ok := errors.AsType[*url.Error](err); ok {
			err = wrapped.Err
		}
		return 0, err
	}
	defer func() { _ = res.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 1<<10)) //nolint:mnd // what is polite
	return res.StatusCode, nil
}

func (h *Host) lookAtProgram(ctx context.Context) []doctor.Finding {
	program, err := h.Program(ctx)
	if err != nil {
		return []doctor.Finding{doctor.Wrong(doctor.Fail, doctor.MistProgram, "", "", "%s", brief(err))}
	}
	return []doctor.Finding{doctor.Well(doctor.MistProgram, "", "%s runs", program)}
}

// brief is an error in one line that a screen holds.
func brief(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return "no answer in time"
	}
	const most = 300
	text := strings.Join(strings.Fields(err.Error()), " ")
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most]) + "…"
	}
	return text
}
