package devstack

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
)

// Servers are a private Postgres and a private S3 server in a folder.
type Servers struct {
	Folder   *Folder
	Postgres *Postgres
	S3       *S3
	binDir   string
	closers  closers
}

// ServersConfig says where the programs are.
type ServersConfig struct {
	// BinDir holds versitygw.
	BinDir string
}

// StartServers starts both. It returns when both answer.
func StartServers(ctx context.Context, cfg *ServersConfig) (_ *Servers, err error) {
	s := &Servers{}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if s.binDir, err = filepath.Abs(cfg.BinDir); err != nil {
		return nil, fmt.Errorf("folder of programs: %w", err)
	}
	if s.Folder, err = NewFolder(); err != nil {
		return nil, err
	}
	s.closers.add(s.Folder.Close)
	if s.Postgres, err = startPostgresIn(ctx, s.Folder, nil); err != nil {
		return nil, err
	}
	s.closers.add(s.Postgres.Close)
	if s.S3, err = startS3In(ctx, s.Folder, s.binDir); err != nil {
		return nil, err
	}
	s.closers.add(s.S3.Close)
	return s, nil
}

// Env returns the variables by which tests find the servers.
func (s *Servers) Env() []string {
	return []string{
		"WEIR_TEST_DATABASE_URL=" + string(s.Postgres.URL),
		"WEIR_TEST_S3_ENDPOINT=" + s.S3.Endpoint,
		"WEIR_TEST_S3_REGION=" + s.S3.Region,
		"WEIR_TEST_S3_ACCESS_KEY=" + s.S3.AccessKey,
		"WEIR_TEST_S3_SECRET_KEY=" + string(s.S3.SecretKey),
		BinDirVariable + "=" + s.binDir,
	}
}

// Close ends both and removes their folder. Idempotent.
func (s *Servers) Close() error { return s.closers.close() }

func startPostgresIn(ctx context.Context, folder *Folder, settings []string) (*Postgres, error) {
	dir, err := folder.Make("postgres")
	if err != nil {
		return nil, err
	}
	return StartPostgres(ctx, &PostgresConfig{Dir: dir, Settings: settings})
}

func startS3In(ctx context.Context, folder *Folder, binDir string) (*S3, error) {
	dir, err := folder.Make("s3")
	if err != nil {
		return nil, err
	}
	return StartS3(ctx, &S3Config{Dir: dir, BinDir: binDir})
}
