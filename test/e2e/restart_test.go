package e2e

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"weir/internal/devstack"
	"weir/internal/mistsim/broadcaster"
	"weir/mist"
)

// A daemon that ends in the middle of a transcode finds it again: the same attempt,
// the same MistProcLivepeer, nothing done twice.
func TestRestart(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*testing.T, *testBundle){
		"softly": func(t *testing.T, b *testBundle) {
			require.NoError(t, b.Daemons[0].Terminate())
			require.NoError(t, b.Daemons[0].Wait(b.ctx))
		},
		"by kill -9": func(t *testing.T, b *testBundle) { require.NoError(t, b.Daemons[0].Kill()) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setupOwn(t, func(*devstack.Config) {})
			gateway := startGateway(t)
			// Slow enough that it is in the middle of it, and stays there.
			require.NoError(t, gateway.SetFaults(broadcaster.Faults{Mode: broadcaster.ModeHang, Match: secondSegment}))
			source, facts := b.source(t, long())
			req := b.request(t, source, sized("a", 160, 96), sized("b", 208, 112))
			req.Livepeer = gateway.livepeer()
			id := b.submit(t, req)
			b.awaitTranscode(t, id, func(transcode *devstack.Transcode) bool {
				return transcode.Renditions[0].State == "pushing" && transcode.Renditions[1].State == "pushing"
			})
			running := b.processesOf(t, id)
			require.Len(t, running, 1)

			end(t, b)
			require.Equal(t, running, b.processesOf(t, id), "MistProcLivepeer runs on")
			require.NoError(t, gateway.SetFaults(calm()))
			require.NoError(t, b.Daemons[0].Restart(b.ctx))

			transcode := b.succeeds(t, id, facts)
			require.Equal(t, 1, transcode.Attempt)
			recorded := b.lines(t, "SELECT process FROM weir.attempts WHERE transcode_id = $1", id)
			require.Len(t, recorded, 1)
			require.True(t, strings.HasPrefix(recorded[0], strconv.Itoa(running[0])+":"), "one process, never another: %s", recorded[0])
		})
	}
}

// A daemon that stops softly before any push has begun begins them first: Mist keeps
// no rendition for longer than its process runs, which ends here with no daemon there.
func TestRestartAfterTheProcess(t *testing.T) {
	t.Parallel()
	b := setupOwn(t, func(*devstack.Config) {})
	gateway := startGateway(t)
	require.NoError(t, gateway.SetFaults(broadcaster.Faults{Mode: broadcaster.ModeHang}))
	source, facts := b.source(t, plain())
	req := b.request(t, source, sized("a", 160, 96), sized("b", 208, 112))
	req.Livepeer = gateway.livepeer()
	id := b.submit(t, req)
	b.awaitTranscode(t, id, func(*devstack.Transcode) bool {
		return len(b.lines(t, "SELECT process FROM weir.attempts WHERE transcode_id = $1 AND stage = 'started'", id)) == 1
	})

	require.NoError(t, gateway.SetFaults(calm()))
	require.NoError(t, b.Daemons[0].Terminate())
	require.NoError(t, b.Daemons[0].Wait(b.ctx))
	await(t, b.ctx, "the end of MistProcLivepeer", func() bool { return len(b.processesOf(t, id)) == 0 })
	require.NoError(t, b.Daemons[0].Restart(b.ctx))

	require.Equal(t, 1, b.succeeds(t, id, facts).Attempt)
}

// processesOf lists the MistProcLivepeers of a transcode by their PIDs.
func (b *testBundle) processesOf(t *testing.T, id string) (pids []int) {
	t.Helper()
	for _, host := range b.Hosts {
		running, err := mist.FindProcesses(host.BinDir)
		require.NoError(t, err)
		for _, process := range running {
			if strings.Contains(process.Dir, nameOf(id)) {
				pids = append(pids, process.PID)
			}
		}
	}
	return pids
}
