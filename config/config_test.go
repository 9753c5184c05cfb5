package config_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"weir/config"
)

func environ(changes map[string]string) []string {
	vars := map[string]string{
		"WEIR_DATABASE_URL": "postgres://u:p@localhost/weir",
		"WEIR_SECRET_KEY":   base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32))),
		"WEIR_API_TOKENS":   "studio=token",
		"WEIR_BROADCASTERS": "http://127.0.0.1:8935,https://b.example",
		"WEIR_HOST_ID":      "mist-1",
		"PATH":              "/usr/bin",
	}
	for name, value := range changes {
		vars[name] = value
		if value == "" {
			delete(vars, name)
		}
	}
	var list []string
	for name, value := range vars {
		list = append(list, name+"="+value)
	}
	return list
}

func TestLoad(t *testing.T) {
	t.Parallel()
	cfg, err := config.Load(environ(nil))
	require.NoError(t, err)
	require.Equal(t, []string{"http://127.0.0.1:8935", "https://b.example"}, cfg.Broadcasters)
	require.Equal(t, "127.0.0.1:8938", cfg.TriggerListen)
	require.True(t, cfg.Control)
	require.Equal(t, "127.0.0.1:9464", cfg.MetricsListen)
	cfg, err = config.Load(append(environ(nil), "WEIR_METRICS_LISTEN="))
	require.NoError(t, err)
	require.Empty(t, cfg.MetricsListen, "set to nothing: none")

	cfg, err = config.Load(environ(map[string]string{"WEIR_KEEP_TRANSCODES_DAYS": "0", "WEIR_KEEP_CALLBACK_ATTEMPTS_DAYS": "0"}))
	require.NoError(t, err)
	require.Zero(t, cfg.KeepTranscodes)
}

func TestLoadSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		changes map[string]string
		says    []string
	}{
		{"missing", map[string]string{"WEIR_DATABASE_URL": "", "WEIR_SECRET_KEY": ""}, []string{"WEIR_DATABASE_URL is not set", "WEIR_SECRET_KEY is not set"}},
		{"mistyped, and so missing", map[string]string{"WEIR_DATABASE_URL": "", "WEIR_DATABSE_URL": "postgres://h/d"}, []string{
			"WEIR_DATABSE_URL is no setting: did you mean WEIR_DATABASE_URL?", "WEIR_DATABASE_URL is not set",
		}},
		{"misspelt", map[string]string{"WEIR_HOST_SLOT": "3"}, []string{"WEIR_HOST_SLOT is no setting: did you mean WEIR_HOST_SLOTS?"}},
		{"not a number", map[string]string{"WEIR_HOST_SLOTS": "many"}, []string{"WEIR_HOST_SLOTS can't be read as int"}},
		{"profile", map[string]string{"WEIR_PROFILE": "pol"}, []string{"WEIR_PROFILE", "listen or poll"}},
		{"host id", map[string]string{"WEIR_HOST_ID": "Mist.1"}, []string{"WEIR_HOST_ID", "Mist.1"}},
		{"open listener", map[string]string{"WEIR_TRIGGER_LISTEN": "0.0.0.0:8938"}, []string{"WEIR_TRIGGER_LISTEN", "loopback"}},
		{"shared memory", map[string]string{"WEIR_SHM_DIR": "shm"}, []string{"WEIR_SHM_DIR", "from /"}},
		{"spool", map[string]string{"WEIR_SPOOL_DIR": "/a?b"}, []string{"WEIR_SPOOL_DIR", "Mist"}},
		{"nothing to do", map[string]string{"WEIR_CONTROL": "false", "WEIR_WORKER": "false"}, []string{"do nothing"}},
		{"no broadcaster", map[string]string{"WEIR_BROADCASTERS": ""}, []string{"WEIR_BROADCASTERS", "WEIR_LIVEPEER_TOKEN"}},
		{"level", map[string]string{"WEIR_LOG_LEVEL": "loud"}, []string{"WEIR_LOG_LEVEL", "loud"}},
		{"keeping too long", map[string]string{"WEIR_KEEP_TRANSCODES_DAYS": "3651"}, []string{"WEIR_KEEP_TRANSCODES_DAYS is 3651", "0 to 3650"}},
		{"keeping a negative time", map[string]string{"WEIR_KEEP_TRIGGERS_DAYS": "-1"}, []string{"WEIR_KEEP_TRIGGERS_DAYS is -1"}},
		{"events of nothing", map[string]string{"WEIR_KEEP_TRANSCODES_DAYS": "3", "WEIR_KEEP_TRIGGERS_DAYS": "3"}, []string{"WEIR_KEEP_EVENTS_DAYS is 7: give 1 to 3"}},
		{"triggers of nothing", map[string]string{"WEIR_KEEP_TRANSCODES_DAYS": "3"}, []string{"WEIR_KEEP_TRIGGERS_DAYS is 7: give 1 to 3"}},
		{"triggers for ever", map[string]string{"WEIR_KEEP_TRIGGERS_DAYS": "0"}, []string{"WEIR_KEEP_TRIGGERS_DAYS is 0: give 1 to 90"}},
		{"more urgent than not", map[string]string{"WEIR_URGENT_SLOTS_PERCENT": "51"}, []string{"WEIR_URGENT_SLOTS_PERCENT is 51: give 0 to 50"}},
		{"several at once", map[string]string{"WEIR_LOG_LEVEL": "loud", "WEIR_LOG_FORMAT": "xml"}, []string{"WEIR_LOG_LEVEL", "WEIR_LOG_FORMAT"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := config.Load(environ(test.changes))
			require.Error(t, err)
			for _, says := range test.says {
				require.ErrorContains(t, err, says)
			}
		})
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	t.Parallel()
	cfg, err := config.Load(environ(map[string]string{"WEIR_CALLBACK_SECRET": "hush-hush", "WEIR_DATABASE_URL": "postgres://u:hush-hush@h/d"}))
	require.NoError(t, err)
	text, err := json.Marshal(cfg)
	require.NoError(t, err)
	for _, printed := range []string{fmt.Sprintf("%v %+v %#v %s", cfg, *cfg, *cfg, cfg.CallbackSecret), string(text)} {
		require.NotContains(t, printed, "hush-hush")
	}
	_, err = config.Load(environ(map[string]string{"WEIR_DATABASE_MAX_CONNS": "hush-hush"}))
	require.Error(t, err)
	require.NotContains(t, err.Error(), "hush-hush")
}
