package main

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"weir/config"
	"weir/db/dbtest"
	"weir/jobs/doctor"
)

// settings are of a host that has nothing around it but its database.
func settings(t *testing.T, database string) *config.Config {
	t.Helper()
	cfg, err := config.Load([]string{
		"WEIR_DATABASE_URL=" + database, "WEIR_SECRET_KEY=" + strings.Repeat("07", 32), "WEIR_API_TOKENS=studio=" + token,
		"WEIR_HOST_ID=h", "WEIR_BROADCASTERS=http://127.0.0.1:1", "WEIR_TRIGGER_LISTEN=127.0.0.1:1", "WEIR_SPOOL_DIR=" + t.TempDir(),
		"WEIR_MIST_API=http://127.0.0.1:1/api2", "WEIR_MIST_BIN_DIR=" + t.TempDir(), "WEIR_FFMPEG=/nowhere/ffmpeg",
	})
	require.NoError(t, err)
	return cfg
}

// On a host where nothing runs the daemon's program says what is missing, and what mends it.
func TestDoctorOfADaemon(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	err := runDoctor(t.Context(), settings(t, dbtest.URL(t)), "", true, &out)
	require.ErrorIs(t, err, errUnwell)
	var list doctor.List // the shape of `weir-admin doctor --json`, to the last field
	decoder := json.NewDecoder(&out)
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(&list))
	require.Equal(t, doctor.Fail, list.Worst)
	verdicts := map[doctor.Code]doctor.Verdict{}
	for _, f := range list.Findings {
		verdicts[f.Code] = f.Verdict
		require.True(t, f.Verdict == doctor.OK || f.Mend != "", f.Code)
	}
	for code, verdict := range map[doctor.Code]doctor.Verdict{
		doctor.SchemaVersion: doctor.OK, doctor.PostgresRights: doctor.OK, doctor.MistAPI: doctor.Fail, doctor.MistProgram: doctor.Fail,
		doctor.MediaTools: doctor.Fail, doctor.BroadcasterSegment: doctor.Fail, doctor.ReceiverReach: doctor.OK, doctor.StoreKeys: doctor.OK,
	} {
		require.Equal(t, verdict, verdicts[code], code)
	}
	out.Reset()
	require.NoError(t, runDoctor(t.Context(), settings(t, dbtest.URL(t)), "schema.*", false, &out))
	require.Contains(t, out.String(), "ok       schema.version  database")
	require.ErrorContains(t, runDoctor(t.Context(), settings(t, dbtest.URL(t)), "x", false, &out), "no check")

	// The database is what is broken: the rest is looked at all the same.
	out.Reset()
	err = runDoctor(t.Context(), settings(t, "postgres://u:PLANTED@127.0.0.1:1/weir"), "", false, &out)
	require.ErrorIs(t, err, errUnwell)
	require.Contains(t, out.String(), "FAIL     postgres.reach  h\n")
	require.Contains(t, out.String(), "FAIL     mist.api  h\n")
	require.NotContains(t, out.String(), "PLANTED")
}

// What /readyz knows of a host's own things is of the last look, which no caller waits for.
func TestReadiness(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	looked := make(chan struct{})
	checks := []doctor.Check{{Codes: []doctor.Code{doctor.SpoolRoom, doctor.StorePut}, Look: func(context.Context) []doctor.Finding {
		close(looked)
		return []doctor.Finding{doctor.Wrong(doctor.Fail, doctor.SpoolRoom, "", "", "full"), doctor.Wrong(doctor.Fail, doctor.StorePut, "", "", "dear")}
	}}}
	const most, every = time.Minute, 10 * time.Millisecond // of a busy machine
	var r readiness
	require.Empty(t, r.of(t.Context(), pool, "h", checks))
	<-looked
	require.Eventually(t, func() bool {
		found := r.of(t.Context(), pool, "h", checks) // a second look would close the channel again
		return len(found) == 2 && found[1].Code == doctor.SpoolRoom
	}, most, every)
}
