package devstack

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"

	"weir/db"
	"weir/db/migrations"
	"weir/mist"
)

const (
	// leftPoll is how often AwaitClean looks.
	leftPoll = 200 * time.Millisecond
	// shmVariable names another folder than /dev/shm, for the stand-ins and for us.
	shmVariable = "MISTSIM_SHM_DIR"
	// leftConns is enough to list jobs.
	leftConns = 2
)

// LeftBehind lists what is there of transcodes besides their results: streams,
// pushes, processes and shared memory of Mist, files in the spools, half uploads,
// River jobs that are not done. While transcodes run that is their work; after the last
// one and a grace period it is a leak.
func (s *Stack) LeftBehind(ctx context.Context) ([]string, error) {
	var left []string
	for _, look := range []func(context.Context) ([]string, error){
		s.leftInMist, s.leftProcesses, s.leftInMemory, s.leftInSpools, s.leftInS3, s.leftJobs,
	} {
		found, err := look(ctx)
		if err != nil {
			return nil, fmt.Errorf("look for what is left behind: %w", err)
		}
		left = append(left, found...)
	}
	return left, nil
}

// AwaitClean waits until nothing is left behind, or until ctx ends: then it
// returns what is.
func (s *Stack) AwaitClean(ctx context.Context) ([]string, error) {
	for {
		looked := time.Now()
		// An answer that began in time is waited for.
		left, err := s.LeftBehind(context.WithoutCancel(ctx))
		if err != nil || len(left) == 0 {
			return nil, err
		}
		select {
		case <-time.After(Pause(leftPoll, time.Since(looked))):
		case <-ctx.Done():
			return left, nil
		}
	}
}

// leftInMist leaves out streams and pushes that are not Weir's: a real Mist may
// serve others.
func (s *Stack) leftInMist(ctx context.Context) ([]string, error) {
	var left []string
	ours := func(stream string) bool { _, err := mist.ParseName(stream); return err == nil }
	for _, host := range s.Hosts {
		client, err := mist.New(&mist.Config{URL: host.API})
		if err != nil {
			return nil, err
		}
		defer client.Close()
		status, err := client.Status(ctx)
		if err != nil {
			return nil, err
		}
		configured, err := client.Streams(ctx)
		if err != nil {
			return nil, err
		}
		for name, stream := range status.Streams {
			if ours(name) && stream.State != mist.StreamOffline {
				left = append(left, fmt.Sprintf("stream %s (%s) in Mist", name, stream.State))
			}
		}
		for _, name := range configured {
			if ours(name) {
				left = append(left, fmt.Sprintf("configured stream %s in Mist", name))
			}
		}
		for _, push := range status.Pushes {
			if ours(push.Stream) {
				left = append(left, fmt.Sprintf("push %d of %s in Mist", push.PID, push.Stream))
			}
		}
	}
	return left, nil
}

func (s *Stack) leftProcesses(context.Context) ([]string, error) {
	var left []string
	for _, host := range s.Hosts {
		running, err := mist.FindProcesses(host.BinDir)
		if err != nil {
			return nil, err
		}
		for _, p := range running {
			left = append(left, fmt.Sprintf("MistProcLivepeer %d in %s", p.PID, p.Dir))
		}
	}
	return left, nil
}

// leftInMemory looks for the pages of transcodes that this stack's database knows: a
// real Mist's folder may hold another one's.
func (s *Stack) leftInMemory(ctx context.Context) ([]string, error) {
	pages, err := mist.FindPages(shmDir())
	if err != nil || len(pages) == 0 {
		return nil, err
	}
	pool, err := db.Open(ctx, string(s.Database), leftConns)
	if err != nil {
		return nil, err
	}
	defer pool.Close()
	var left []string
	for _, page := range pages {
		var ours bool
		if err := pool.QueryRow(ctx, "SELECT EXISTS (SELECT FROM weir.transcodes WHERE id = $1)", page.Name.Transcode).Scan(&ours); err != nil {
			return nil, fmt.Errorf("look for the transcode of %s: %w", page.Path, err)
		}
		if ours {
			left = append(left, fmt.Sprintf("%d bytes of memory in %s", page.Bytes, page.Path))
		}
	}
	return left, nil
}

// shmDir is where the Mist of the stack keeps its memory; a daemon is told the same.
func shmDir() string {
	if dir := os.Getenv(shmVariable); dir != "" {
		return dir
	}
	return mist.ShmDir
}

// spoolClaim is the file in which a host claims its spool.
const spoolClaim = ".weir-spool.json"

func (s *Stack) leftInSpools(context.Context) ([]string, error) {
	var left []string
	for _, daemon := range s.Daemons {
		entries, err := os.ReadDir(daemon.Spool)
		if err != nil {
			return nil, fmt.Errorf("spool: %w", err)
		}
		for _, entry := range entries {
			if entry.Name() != spoolClaim { // it says whose the spool is, for good
				left = append(left, "file "+filepath.Join(daemon.Spool, entry.Name()))
			}
		}
	}
	return left, nil
}

func (s *Stack) leftInS3(ctx context.Context) ([]string, error) {
	uploads, err := s.S3.HalfUploads(ctx, s.Bucket)
	if err != nil {
		return nil, err
	}
	var left []string
	for _, upload := range uploads {
		left = append(left, "half upload of "+*upload.Key)
	}
	return left, nil
}

// leftJobs counts work for a transcode only; periodic jobs come and go.
func (s *Stack) leftJobs(ctx context.Context) ([]string, error) {
	pool, err := db.Open(ctx, string(s.Database), leftConns)
	if err != nil {
		return nil, err
	}
	defer pool.Close()
	client, err := river.NewClient(riverpgxv5.New(pool), &river.Config{Schema: migrations.Schema})
	if err != nil {
		return nil, fmt.Errorf("river: %w", err)
	}
	jobs, err := client.JobList(ctx, river.NewJobListParams().
		Kinds("transcode", "store", "residue", "callback").
		States(rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable,
			rivertype.JobStateRunning, rivertype.JobStateScheduled))
	if err != nil {
		return nil, fmt.Errorf("list jobs: %w", err)
	}
	var left []string
	for _, job := range jobs.Jobs {
		if job.Kind == "residue" && job.State == rivertype.JobStateScheduled {
			continue // its second look, a quarter of an hour later, for what nobody expects
		}
		left = append(left, fmt.Sprintf("River job %d, a %s %s", job.ID, job.Kind, job.State))
	}
	return left, nil
}
