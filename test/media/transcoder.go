package main

import (
	"context"
	"fmt"
	"net/url"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"weir/internal/devstack"
)

// transcoder sends files through a whole system, as Studio would.
type transcoder struct {
	stack  *devstack.Stack
	studio *devstack.Studio
	prefix string // of the objects in the bucket
}

// An outcome is what became of a file.
type outcome struct {
	*devstack.Transcode
	// files are the renditions as they lie in S3, in the order of the profiles.
	files []string
	took  time.Duration
	// retried says why each attempt but the last failed.
	retried []string
}

// run uploads a file, has it transcoded and downloads what came of it into dir.
func (t *transcoder) run(ctx context.Context, file, dir string, profiles []devstack.Profile) (*outcome, error) {
	name := filepath.Base(file)
	source, err := t.stack.Upload(ctx, file, path.Join(t.prefix, "in", name))
	if err != nil {
		return nil, err
	}
	output, err := t.stack.S3.URL(t.stack.Bucket, path.Join(t.prefix, "out", name))
	if err != nil {
		return nil, err
	}
	began := time.Now()
	accepted, err := t.stack.API.Submit(ctx, &devstack.Request{
		ExternalID: name, Source: devstack.Location{URL: string(source)}, Output: devstack.Location{URL: string(output)},
		CallbackURL: t.studio.URL + url.PathEscape(t.prefix+"-"+name), Profiles: profiles,
	})
	if err != nil {
		return nil, err
	}
	o := &outcome{}
	if o.Transcode, err = t.stack.API.Await(ctx, accepted.ID, (*devstack.Transcode).Terminal); err != nil {
		return nil, err
	}
	o.took = time.Since(began)
	if o.Attempt > 1 {
		if o.retried, err = t.attempts(ctx, o.ID); err != nil {
			return nil, err
		}
	}
	if o.State != "succeeded" {
		return o, nil
	}
	for i, r := range o.Renditions {
		key, err := objectKey(r.Location, t.stack.Bucket)
		if err != nil {
			return nil, err
		}
		local := filepath.Join(dir, fmt.Sprintf("%s.%d%s", name, i, path.Ext(key)))
		if err := t.stack.S3.Download(ctx, t.stack.Bucket, key, local); err != nil {
			return nil, err
		}
		o.files = append(o.files, local)
	}
	return o, nil
}

// attempts says how all attempts of a transcode but the last ended.
func (t *transcoder) attempts(ctx context.Context, id string) ([]string, error) {
	conn, err := pgx.Connect(ctx, string(t.stack.Database))
	if err != nil {
		return nil, fmt.Errorf("ask for the attempts of %s: %w", id, err)
	}
	defer func() { _ = conn.Close(ctx) }() // all of the answer is there
	rows, err := conn.Query(ctx, `SELECT format('attempt %s %s: %s', number, outcome, error_message) FROM weir.attempts
		WHERE transcode_id::text = $1 ORDER BY number`, id)
	if err != nil {
		return nil, fmt.Errorf("ask for the attempts of %s: %w", id, err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(lines) == 0 {
		return nil, fmt.Errorf("ask for the attempts of %s: %w", id, err)
	}
	return lines[:len(lines)-1], nil
}

// objectKey is the key in a rendition's location, s3+http://host/bucket/key or s3://bucket/key.
func objectKey(location, bucket string) (string, error) {
	u, err := url.Parse(location)
	if err != nil {
		return "", fmt.Errorf("a rendition's location: %w", err)
	}
	if u.Host == bucket {
		return strings.TrimPrefix(u.Path, "/"), nil
	}
	return strings.TrimPrefix(u.Path, "/"+bucket+"/"), nil
}

// refusal says in which way a transcode that should have failed for good did not.
func (o *outcome) refusal() []string {
	switch {
	case o.State != "failed":
		return []string{o.State + ", where it should fail"}
	case o.Error == nil:
		return []string{"failed without an error"}
	case o.Error.Retriable || o.Attempt > 1:
		return []string{fmt.Sprintf("failed at attempt %d with %s (retriable %t): it should fail for good at the first", o.Attempt, o.Error.Code, o.Error.Retriable)}
	}
	return nil
}

// failure says in which way a transcode that should have succeeded did not.
func (o *outcome) failure() []string {
	switch {
	case o.State != "succeeded" && o.Error != nil:
		return []string{fmt.Sprintf("%s at attempt %d: %s: %s", o.State, o.Attempt, o.Error.Code, o.Error.Message)}
	case o.State != "succeeded":
		return []string{o.State + " without an error"}
	}
	return nil
}
