package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"weir/internal/devstack"
)

// repeats counts work that was done again.
type repeats struct {
	// eaten are those of the three attempts that a transcode may fail in which its
	// retries have cost: what is not its own fault costs none.
	eaten int
	// attempts of a transcode beyond its first, processes (MistProcLivepeer) beyond
	// the first of each transcode, uploads beyond one of each rendition.
	attempts, processes, uploads int
}

func (r repeats) within(allowed repeats) bool {
	return r.eaten >= 0 && r.eaten <= allowed.eaten && r.attempts >= 0 && r.processes >= 0 && r.uploads >= 0 && r.attempts <= allowed.attempts && r.processes <= allowed.processes && r.uploads <= allowed.uploads
}

// free allows the same work, and none of the attempts that count.
func (r repeats) free() repeats {
	r.eaten = 0
	return r
}

func (r repeats) String() string {
	return fmt.Sprintf("%d attempts (%d count), %d processes, %d uploads", r.attempts, r.eaten, r.processes, r.uploads)
}

// end is what the rows say of a transcode.
type end struct {
	ID, ExternalID, State string
	Attempt, Left         int
	Error                 string
	Callbacks             int
	Delivered             bool
}

// lostAttempt is one that did not succeed, for the report.
type lostAttempt struct {
	ExternalID string
	Number     int
	Host       string
	Code, Text string
}

// judge looks at all that the promises say.
func (r *round) judge(ctx context.Context, res *result) {
	ends, err := rows[end](ctx, r.suite, `SELECT t.id::text, t.external_id, t.state, t.attempt, t.attempts_left,
		COALESCE(t.error_code || ' at ' || t.error_stage || ': ' || t.error_message, ''),
		(SELECT count(*) FROM weir.callbacks c WHERE c.transcode_id = t.id),
		EXISTS (SELECT FROM weir.callbacks c WHERE c.transcode_id = t.id AND c.state = 'delivered')
		FROM weir.transcodes t WHERE t.external_id LIKE $1 || '-%' ORDER BY t.external_id`, r.key)
	if err != nil {
		res.err = fmt.Errorf("%w; %w", res.err, err)
		return
	}
	if len(ends) != flight {
		res.doubled = append(res.doubled, fmt.Sprintf("%d transcodes of %d requests", len(ends), flight))
	}
	for _, e := range ends {
		r.judgeEnd(ctx, e, res)
	}
	if err := r.studio.Problems(); err != nil {
		res.doubled = append(res.doubled, "callbacks: "+err.Error())
	}
	r.judgeRepeats(ends, res)
	res.attempts, _ = rows[lostAttempt](ctx, r.suite, `SELECT t.external_id, a.number, a.host_id, COALESCE(a.error_code, a.outcome, ''), COALESCE(a.error_message, '')
		FROM weir.attempts a JOIN weir.transcodes t ON t.id = a.transcode_id
		WHERE t.external_id LIKE $1 || '-%' AND a.outcome IS DISTINCT FROM 'succeeded' ORDER BY 1, 2`, r.key)
	tidyCtx, cancel := context.WithTimeout(ctx, tidy)
	defer cancel()
	left, err := r.AwaitClean(tidyCtx)
	res.left = left
	if err != nil {
		res.left = append(res.left, err.Error())
	}
	objects, err := r.strayObjects(ctx)
	res.left = append(res.left, objects...)
	if err != nil {
		res.left = append(res.left, err.Error())
	}
}

// strayObjects are those of the round that are no rendition's.
func (r *round) strayObjects(ctx context.Context) (stray []string, err error) {
	known, err := rows[struct{ URL string }](ctx, r.suite, `SELECT r.object_url FROM weir.renditions r JOIN weir.transcodes t ON t.id = r.transcode_id
		WHERE t.external_id LIKE $1 || '-%' AND r.state = 'ok'`, r.key)
	if err != nil {
		return nil, err
	}
	prefix := "out/" + r.key + "/"
	listed, err := r.S3.Client().ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &r.Bucket, Prefix: &prefix})
	if err != nil {
		return nil, fmt.Errorf("list the round's objects: %w", err)
	}
	for _, object := range listed.Contents {
		if !slices.ContainsFunc(known, func(k struct{ URL string }) bool { return strings.HasSuffix(k.URL, "/"+*object.Key) }) {
			stray = append(stray, "object "+*object.Key)
		}
	}
	return stray, nil
}

func (r *round) judgeEnd(ctx context.Context, e end, res *result) {
	lost := func(format string, args ...any) {
		res.lost = append(res.lost, fmt.Sprintf("%s (%s): ", e.ExternalID, e.ID)+fmt.Sprintf(format, args...))
	}
	if e.State != "succeeded" {
		lost("%s in attempt %d: %s", e.State, e.Attempt, e.Error)
		return
	}
	if e.Callbacks != 1 || !e.Delivered {
		lost("%d callbacks, delivered: %t", e.Callbacks, e.Delivered)
	}
	events := map[string]bool{}
	accepted := false
	for _, callback := range r.studio.Callbacks(e.ID) {
		if callback.Terminal() {
			events[callback.EventID] = true
			accepted = accepted || callback.Accepted()
		}
	}
	if len(events) != 1 || !accepted {
		lost("Studio has %d terminal events, accepted: %t", len(events), accepted)
	}
	if err := errors.Join(r.whole(ctx, e.ID), r.plays(ctx, e.ID)); err != nil {
		lost("%s", err)
	}
}

// plays has the outputs of a transcode played by what players find.
func (r *round) plays(ctx context.Context, id string) (err error) {
	if !r.fault.outputs {
		return nil
	}
	made, err := rows[struct{ URL string }](ctx, r.suite, `SELECT o->>'url' FROM weir.outputs, jsonb_array_elements(objects) o
		WHERE transcode_id = $1::uuid AND state = 'ok' AND o->>'kind' IN ('master', 'file')`, id)
	if err != nil {
		return err
	}
	if want := 1 + len(profiles()); len(made) != want {
		return fmt.Errorf("%d masters and files, want %d", len(made), want)
	}
	player, err := r.S3.StartPlayer(ctx, r.Bucket)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, player.Close()) }()
	for _, object := range made {
		u, err := url.Parse(object.URL)
		if err != nil {
			return fmt.Errorf("location of an output: %w", err)
		}
		facts, err := devstack.Probe(ctx, player.URL+u.Path)
		if err != nil {
			return err
		}
		if facts.Frames != r.source.Frames || !facts.Audio {
			return fmt.Errorf("%s plays %+v, want %d frames with sound", object.URL, facts, r.source.Frames)
		}
	}
	return nil
}

// whole looks at a transcode's objects with another eye than Weir's.
func (r *round) whole(ctx context.Context, id string) error {
	type object struct {
		Name, URL     string
		Bytes         int64
		Width, Height int
	}
	objects, err := rows[object](ctx, r.suite, `SELECT name, object_url, object_bytes, planned_width, planned_height
		FROM weir.renditions WHERE transcode_id = $1::uuid AND state = 'ok'`, id)
	if err != nil {
		return err
	}
	if len(objects) != len(profiles()) {
		return fmt.Errorf("%d renditions of %d", len(objects), len(profiles()))
	}
	dir, err := r.Folder.Make("objects")
	if err != nil {
		return err
	}
	for _, o := range objects {
		u, err := url.Parse(o.URL)
		if err != nil {
			return fmt.Errorf("location of %s: %w", o.Name, err)
		}
		local := filepath.Join(dir, o.Name+".ts")
		if err := r.S3.Download(ctx, r.Bucket, strings.TrimPrefix(u.Path, "/"), local); err != nil {
			return err
		}
		info, err := os.Stat(local)
		if err != nil {
			return fmt.Errorf("rendition %s: %w", o.Name, err)
		}
		facts, err := devstack.Probe(ctx, local)
		if err != nil {
			return err
		}
		if info.Size() != o.Bytes || facts.Frames != r.source.Frames || !facts.Audio || facts.Width != o.Width || facts.Height != o.Height {
			return fmt.Errorf("rendition %s: %+v and %d bytes, want %d frames with sound, %dx%d and %d bytes",
				o.Name, facts, info.Size(), r.source.Frames, o.Width, o.Height, o.Bytes)
		}
	}
	return nil
}

// maxAttempts is how many attempts that count a transcode has; its success is in one.
const maxAttempts = 3

// judgeRepeats counts what was done again, and compares it with what is allowed.
func (r *round) judgeRepeats(ends []end, res *result) {
	for _, e := range ends {
		res.repeated.attempts += e.Attempt - 1
		res.repeated.eaten += maxAttempts - 1 - e.Left
		processes, err := r.processesOf(e.ID)
		if err != nil {
			res.doubled = append(res.doubled, err.Error())
		}
		res.repeated.processes += processes - 1 // below 0 when the counting is broken
		res.repeated.uploads += r.door.uploadsOf(r.key+"/"+e.ID) - len(profiles())
	}
	if allowed := r.allowed(); !res.repeated.within(allowed) {
		res.doubled = append(res.doubled, fmt.Sprintf("done again: %s; allowed: %s", res.repeated, allowed))
	}
}

// processesOf counts the processes that ever attached themselves to a Mist for the
// transcode: the log of the stand-in knows also those that no row does.
func (r *round) processesOf(id string) (int, error) {
	pids := map[string]bool{}
	for _, host := range r.Hosts {
		f, err := os.Open(host.Log())
		if err != nil {
			return 0, fmt.Errorf("read Mist's log: %w", err)
		}
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			line := lines.Text()
			if strings.Contains(line, "process attached") && strings.Contains(line, strings.ReplaceAll(id, "-", "")) {
				_, pid, _ := strings.Cut(line, " pid=")
				pid, _, _ = strings.Cut(pid, " ")
				pids[host.Log()+pid] = true
			}
		}
		_ = f.Close()
		if err := lines.Err(); err != nil {
			return 0, fmt.Errorf("read Mist's log: %w", err)
		}
	}
	return len(pids), nil
}
