package mist

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// The names are those of lib/defines.h.
func TestFindPages(t *testing.T) {
	t.Parallel()
	name := Name{Transcode: uuid.MustParse("0f8fad5b-d9cb-469f-a165-70867728950e"), Attempt: 12}
	dir := t.TempDir()
	ours := []string{
		"MstData" + name.Source() + "@0_17", "MstMeta" + name.Source(), "MstTrak" + name.Source() + "@21109-0",
		"MstData" + name.Rendition() + "@1_0", "MstMeta" + name.Rendition(), "MstSTATE" + name.Rendition(), "MstIPID" + name.Source(),
		"sem.MstSemLIVE" + name.Rendition(), "sem.MstSemInpt" + name.Source(),
	}
	others := []string{
		"MstMetalive+concert", "MstSess", "MstSessO525955b4d04804529cdf4d936994cb002e70bb761595e72f59a4bdae983bbc6b",
		"MstGlobalConfig", "PostgreSQL.1", "copy-of-MstMeta" + name.Source(), "MstMeta" + RenditionBase,
		"MstMeta" + name.Source() + "x", "MstMetatr_src_0f8fad5bd9cb469fa16570867728950e", "sem.other" + name.Source(),
	}
	for _, file := range append(append([]string{}, ours...), others...) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, file), []byte("page"), 0o600))
	}
	pages, err := FindPages(dir)
	require.NoError(t, err)
	var found []string
	for _, page := range pages {
		require.Equal(t, name, page.Name, page.Path)
		require.EqualValues(t, 4, page.Bytes)
		require.WithinDuration(t, time.Now(), page.MadeAt, time.Minute)
		found = append(found, filepath.Base(page.Path))
	}
	require.ElementsMatch(t, ours, found)
	_, err = FindPages(filepath.Join(dir, "none"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

// An input is known by its arguments, a process by its folder.
func TestNamesInUse(t *testing.T) {
	t.Parallel()
	binDir, _ := setupProcess(t, "")
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, behaviourFile), []byte("a polite input"), 0o600))
	name := Name{Transcode: uuid.New(), Attempt: 3}
	before, err := NamesInUse()
	require.NoError(t, err)
	require.False(t, before[name])
	run := func(program string, args ...string) {
		t.Helper()
		cmd := exec.Command(filepath.Join(binDir, program), args...)
		cmd.Dir = dir
		require.NoError(t, cmd.Start())
		t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	}
	other := Name{Transcode: uuid.New(), Attempt: 3}
	run(sessionProgram, "I37f3d1237a1ef7283bfde4ff8c0572ae54f41218e41c62ccbf875c7c568ef933", "--streamname", other.Source())
	run("MistInTS", "-s", name.Source(), "/spool/padded.ts")
	require.Eventually(t, func() bool {
		used, err := NamesInUse()
		return err == nil && used[name]
	}, patience, time.Millisecond)
	used, err := NamesInUse()
	require.NoError(t, err)
	require.False(t, used[other], "a session outlives its stream")
}
