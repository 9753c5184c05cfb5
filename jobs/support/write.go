package support

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// SinceMost bounds how far back a bundle reaches.
	SinceMost = 7 * 24 * time.Hour
	// rowsMost and bytesMost bound a part: enough to see what is going on.
	rowsMost, bytesMost = 5000, 8 << 20
	// statementMost ends a query that would add to the load; lockMost is for migrations.
	statementMost, lockMost = "5s", "1s"
	// wholeMost bounds all of it.
	wholeMost = 3 * time.Minute
	fileMode  = 0o600
)

// manifest is the bundle's first thing to read.
type manifest struct {
	MadeAt time.Time `json:"made_at"`
	Since  time.Time `json:"since"`
	Parts  []Part    `json:"parts"`
	Note   string    `json:"note"`
}

const note = "Each part is a file of JSON lines. Left out: what is sealed, bodies, payloads, answers, keys, passwords, tokens, queries of URLs; cut says what else is missing."

// Write writes a bundle of what happened in the last `since`, and says what is in it. A part
// that can't be read is cut, and says so; only what hinders all is an error.
func Write(ctx context.Context, pool *pgxpool.Pool, out io.Writer, since time.Duration) ([]Part, error) {
	ctx, cancel := context.WithTimeout(ctx, wholeMost)
	defer cancel()
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("support bundle: %w", err)
	}
	defer conn.Release()
	packed := gzip.NewWriter(out)
	files := tar.NewWriter(packed)
	m := manifest{Note: note}
	if err := conn.QueryRow(ctx, "SELECT now()").Scan(&m.MadeAt); err != nil {
		return nil, fmt.Errorf("support bundle: %w", err)
	}
	m.MadeAt = m.MadeAt.UTC()
	m.Since = m.MadeAt.Add(-since)
	for _, part := range Parts() {
		content, err := part.read(ctx, conn.Conn(), m.Since)
		if err != nil {
			return nil, fmt.Errorf("support bundle: %w", err)
		}
		m.Parts = append(m.Parts, part)
		if err := add(files, part.Name+".jsonl", content, m.MadeAt); err != nil {
			return nil, err
		}
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("support bundle: %w", err)
	}
	if err := add(files, "manifest.json", text, m.MadeAt); err != nil {
		return nil, err
	}
	if err := errors.Join(files.Close(), packed.Close()); err != nil {
		return nil, fmt.Errorf("support bundle: %w", err)
	}
	return m.Parts, nil
}

func add(files *tar.Writer, name string, content []byte, at time.Time) error {
	header := &tar.Header{Name: "weir-support/" + name, Mode: fileMode, Size: int64(len(content)), ModTime: at}
	if err := files.WriteHeader(header); err != nil {
		return fmt.Errorf("support bundle: write %s: %w", name, err)
	}
	if _, err := files.Write(content); err != nil {
		return fmt.Errorf("support bundle: write %s: %w", name, err)
	}
	return nil
}

// read reads a part in a transaction of its own, so that none is open for long.
func (p *Part) read(ctx context.Context, conn *pgx.Conn, since time.Time) ([]byte, error) {
	query, err := p.query()
	if err != nil {
		return nil, err
	}
	var content bytes.Buffer
	err = pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SET LOCAL statement_timeout = '"+statementMost+"'; SET LOCAL lock_timeout = '"+lockMost+
			"'; SET LOCAL max_parallel_workers_per_gather = 0"); err != nil {
			return err
		}
		var args []any
		if strings.Contains(query, "$1") {
			args = append(args, since)
		}
		rows, err := tx.Query(ctx, fmt.Sprintf("SELECT to_jsonb(q)::text FROM (%s) q LIMIT %d", query, rowsMost+1), args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		return p.take(rows, &content)
	})
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok {
		p.Cut = fmt.Sprintf("not all was read: %s (%s)", refused.Message, refused.Code)
		err = nil
	}
	if err != nil {
		return nil, fmt.Errorf("part %s: %w", p.Name, err)
	}
	return content.Bytes(), nil
}

func (p *Part) take(rows pgx.Rows, content *bytes.Buffer) error {
	for rows.Next() {
		var row []byte
		if err := rows.Scan(&row); err != nil {
			return err
		}
		if p.Rows == rowsMost {
			p.Cut = fmt.Sprintf("there are more than %d rows", rowsMost)
			return nil
		}
		line, err := scrubRow(row)
		if err != nil {
			return err
		}
		if content.Len()+len(line) > bytesMost {
			p.Cut = fmt.Sprintf("there are more than %d MiB", bytesMost>>20)
			return nil
		}
		content.Write(append(line, '\n'))
		p.Rows++
	}
	return rows.Err()
}
