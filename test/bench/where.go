package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"weir/internal/devstack"
)

// An interval is a time in which something was at work.
type interval struct{ from, to time.Time }

// union is how long at least one of some intervals lasts between two times.
func union(of []interval, from, to time.Time) time.Duration {
	slices.SortFunc(of, func(a, b interval) int { return a.from.Compare(b.from) })
	var sum time.Duration
	for _, i := range of {
		if i.from.Before(from) {
			i.from = from
		}
		if i.to.After(to) {
			i.to = to
		}
		if i.to.After(i.from) {
			sum += i.to.Sub(i.from)
			from = i.to
		}
	}
	return sum
}

// segmentLine is what the stand-in Broadcaster logs when it has answered a segment.
var segmentLine = regexp.MustCompile(`^time=(\S+) level=INFO msg=segment segment=(\S+) bytes=\d+ took=(\S+)`)

// segments are when the stand-in Broadcaster had one of a transcode's in work.
func (b *bench) segments(t *devstack.Transcode) ([]interval, error) {
	file, err := os.Open(b.stack.Broadcaster.Log)
	if err != nil {
		return nil, fmt.Errorf("read the stand-in's log: %w", err)
	}
	defer file.Close()
	var found []interval
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		match := segmentLine.FindStringSubmatch(lines.Text())
		if match == nil {
			continue
		}
		to, err := time.Parse(time.RFC3339Nano, match[1])
		if err != nil {
			return nil, fmt.Errorf("read the stand-in's log: %w", err)
		}
		took, err := time.ParseDuration(match[3])
		if err != nil {
			return nil, fmt.Errorf("read the stand-in's log: %w", err)
		}
		// One transcode runs at a time.
		if to.After(t.CreatedAt) {
			found = append(found, interval{to.Add(-took), to})
		}
	}
	return found, lines.Err()
}

// steps are how long the daemon says that a rendition, or the source, took it.
type steps struct {
	Message   string        `json:"msg"`
	Transcode string        `json:"transcode"`
	Rendition string        `json:"rendition"`
	Probe     time.Duration `json:"probe"`
	Prepare   time.Duration `json:"prepare"`
	Finish    time.Duration `json:"finish"`
	Judge     time.Duration `json:"judge"`
	Upload    time.Duration `json:"upload"`
}

// steps reads the daemon's log for one transcode: its source's steps, and those of the
// rendition that was stored last.
func (b *bench) steps(t *devstack.Transcode) (source, last steps, err error) {
	file, err := os.Open(b.stack.Daemons[0].Log)
	if err != nil {
		return source, last, fmt.Errorf("read the daemon's log: %w", err)
	}
	defer file.Close()
	const longest = 1 << 20
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, longest)
	for lines.Scan() {
		var line steps
		if json.Unmarshal(lines.Bytes(), &line) != nil || line.Transcode != t.ID {
			continue
		}
		switch line.Message {
		case "source prepared":
			source = line
		case "rendition stored":
			last = line
		}
	}
	if err := lines.Err(); err != nil {
		return source, last, fmt.Errorf("read the daemon's log: %w", err)
	}
	if source.Prepare == 0 || last.Finish == 0 {
		return source, last, errors.New("the daemon's log does not tell how long its steps took")
	}
	return source, last, nil
}

// A part is one stretch of a transcode's way.
type part struct {
	name string
	took time.Duration
}

// where takes a transcode's time apart, from acceptance to its callback. own is the
// stand-in Broadcaster's: until the last push was handed over, as nothing waits for it then.
func (b *bench) where(ctx context.Context, db *pgx.Conn, t *run) (parts []part, own time.Duration, err error) {
	var placed, fetched, prepared, started, pushed, stored time.Time
	if err := db.QueryRow(ctx, `SELECT started_at, fetched_at, prepared_at, process_started_at
		FROM weir.attempts WHERE transcode_id = $1`, t.ID).Scan(&placed, &fetched, &prepared, &started); err != nil {
		return nil, 0, fmt.Errorf("read the times of the attempt: %w", err)
	}
	if err := db.QueryRow(ctx, `SELECT max(pushed_at), max(stored_at) FROM weir.renditions WHERE transcode_id = $1`, t.ID).Scan(&pushed, &stored); err != nil {
		return nil, 0, fmt.Errorf("read the times of the renditions: %w", err)
	}
	work, err := b.segments(t.Transcode)
	if err != nil {
		return nil, 0, err
	}
	if len(work) == 0 {
		return nil, 0, errors.New("the stand-in Broadcaster logged no segment")
	}
	source, last, err := b.steps(t.Transcode)
	if err != nil {
		return nil, 0, err
	}
	first, final := work[0].from, work[0].from
	for _, i := range work {
		if i.from.Before(first) {
			first = i.from
		}
		if i.to.After(final) && i.to.Before(pushed) {
			final = i.to
		}
	}
	own = union(work, first, pushed)
	return []part{
		{"accepted -> taken up by a host", placed.Sub(t.CreatedAt)},
		{"fetch", fetched.Sub(placed)},
		{"probe", source.Probe},
		{"prepare", prepared.Sub(fetched) - source.Probe},
		{"start of MistProcLivepeer", started.Sub(prepared)},
		{"its start -> first segment", first.Sub(started)},
		{"between segments (Mist)", final.Sub(first) - union(work, first, final)},
		{"last answer -> last push handed over", pushed.Sub(final) - union(work, final, pushed)},
		{"finish, of the last", last.Finish},
		{"judge, of the last", last.Judge},
		{"upload, of the last", last.Upload},
		{"rest of its store: job, rows", stored.Sub(pushed) - last.Finish - last.Judge - last.Upload},
		{"stored -> callback received", t.told.Sub(stored)},
	}, own, nil
}
