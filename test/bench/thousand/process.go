package thousand

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"
)

const (
	// As is the benchmark's program as a process of hosts: FIRST COUNT POLLS FOLDER GATE.
	As = "hosts"
	// database is theirs: a URL with a password is no argument.
	databaseVariable = "WEIR_BENCH_HOSTS_DATABASE"
	// askCounts has a process tell what its hosts have asked of Postgres.
	askCounts = "counts"
)

func hostName(i int) string { return fmt.Sprintf("fleet-%d", i) }

// hostProcess is a process of hosts.
type hostProcess struct {
	first int // host's number
	hosts []string
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   *bufio.Reader
	ended bool
}

// asked is how many statements a host has sent, and how many of those fetch jobs.
type hostAsked struct{ All, Fetches int64 }

// startHosts starts one, and returns when its hosts have booted.
func (f *fleet) startHosts(ctx context.Context, first, count int, polls bool) (_ *hostProcess, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find myself: %w", err)
	}
	database := f.postgres.URL
	if polls {
		if database, err = f.through(); err != nil {
			return nil, err
		}
	}
	p := &hostProcess{first: first, cmd: exec.CommandContext(ctx, self, "-as", As,
		strconv.Itoa(first), strconv.Itoa(count), strconv.FormatBool(polls), f.spools.Path, f.web.URL)}
	for i := range count {
		p.hosts = append(p.hosts, hostName(first+i))
	}
	p.cmd.Env = append(os.Environ(), databaseVariable+"="+string(database))
	p.cmd.Stderr = os.Stderr
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if p.in, err = p.cmd.StdinPipe(); err != nil { // it ends with us
		return nil, fmt.Errorf("start a process of hosts: %w", err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start a process of hosts: %w", err)
	}
	p.out = bufio.NewReader(out)
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start a process of hosts: %w", err)
	}
	if _, err := p.out.ReadString('\n'); err != nil {
		p.kill()
		return nil, errors.New("a process of hosts has ended before they had booted")
	}
	return p, nil
}

// kill ends it as a power cut does.
func (p *hostProcess) kill() {
	if p.ended {
		return
	}
	p.ended = true
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait() // it was killed
	_ = p.in.Close()
}

// counts is what its hosts have asked of Postgres so far.
func (p *hostProcess) counts() (counts map[string]hostAsked, err error) {
	if _, err = io.WriteString(p.in, askCounts+"\n"); err != nil {
		return nil, fmt.Errorf("ask a process of hosts: %w", err)
	}
	line, err := p.out.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &counts)
	}
	if err != nil {
		return nil, fmt.Errorf("ask a process of hosts: %w", err)
	}
	return counts, nil
}
