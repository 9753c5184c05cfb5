package mist

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

const (
	// runMost bounds a program that only says what it is.
	runMost = 10 * time.Second
	// runKill is how long its pipes may stay open behind that.
	runKill = time.Second
	// wordsMost of what a program printed are shown.
	wordsMost = 200
)

// Lacks are the triggers that Mist does not post to url. It changes nothing.
func (e *Engine) Lacks(ctx context.Context, url string) ([]string, error) {
	lacks, err := e.Client.HasTriggers(ctx, url, listened())
	if err != nil {
		return nil, err
	}
	names := make([]string, len(lacks))
	for i, name := range lacks {
		names[i] = string(name)
	}
	return names, nil
}

// CheckRuns runs MistProcLivepeer of binDir so that it only says what it is, and does
// nothing. The error names the program, and is ErrNoProgram where it is not there.
func CheckRuns(ctx context.Context, binDir string) (program string, err error) {
	if err := CheckProgram(binDir); err != nil {
		return "", err
	}
	if program, err = programPath(binDir); err != nil {
		return "", fmt.Errorf("mist: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, runMost)
	defer cancel()
	var out, complaints bytes.Buffer
	cmd := exec.CommandContext(ctx, program, "-j")
	cmd.Env, cmd.Stdout, cmd.Stderr, cmd.WaitDelay = childEnv(os.Environ()), &out, &complaints, runKill
	err = cmd.Run() // it exits with 255 when all is well
	var is struct {
		Required map[string]json.RawMessage `json:"required"`
	}
	if json.Unmarshal(out.Bytes(), &is) == nil && is.Required["target_profiles"] != nil {
		return program, nil
	}
	if ctx.Err() != nil {
		return program, fmt.Errorf("mist: %s -j did not end: %w", program, ctx.Err())
	}
	words := strings.Join(strings.Fields(complaints.String()), " ")
	return program, fmt.Errorf("mist: %s -j does not say what it is: %w: %.*s", program, errors.Join(err, errOther), wordsMost, words)
}

var errOther = errors.New("it may be another program")
