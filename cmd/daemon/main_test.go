package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// stopsVariable has a run of this test's program stop as a daemon does.
const stopsVariable = "WEIR_TEST_STOPS"

// The first signal asks for a soft stop, however long that takes; the second one cuts.
func TestSecondSignalCuts(t *testing.T) {
	t.Parallel()
	if os.Getenv(stopsVariable) != "" {
		ctx := untilSignal()
		fmt.Println("runs")
		<-ctx.Done()
		fmt.Println("stops")
		select {}
	}
	program := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestSecondSignalCuts$")
	program.Env = append(os.Environ(), stopsVariable+"=1")
	out, err := program.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, program.Start())
	lines := bufio.NewScanner(out)
	says := func(word string) {
		for lines.Scan() && lines.Text() != word { // go test says what it runs
		}
		require.Equal(t, word, lines.Text())
	}
	says("runs")
	require.NoError(t, program.Process.Signal(syscall.SIGTERM))
	says("stops")
	result := make(chan error, 1)
	go func() { result <- program.Wait() }()
	require.Eventually(t, func() bool {
		// One that comes in the same moment as the first is still taken for it.
		_ = program.Process.Signal(syscall.SIGTERM)
		return len(result) == 1
	}, patience, 10*time.Millisecond)
	var ended *exec.ExitError
	require.ErrorAs(t, <-result, &ended)
	status, ok := ended.Sys().(syscall.WaitStatus)
	require.True(t, ok)
	require.Equal(t, syscall.SIGTERM, status.Signal())
}
