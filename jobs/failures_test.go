package jobs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"weir/media"
	"weir/mist"
	"weir/storage"
)

func sqlState(t *testing.T, err error) string {
	t.Helper()
	var pgErr *pgconn.PgError
	require.ErrorAs(t, err, &pgErr)
	return pgErr.Code
}

func TestFailureTable(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, kind := range Kinds() {
		require.False(t, seen[kind.Code], "%s stands twice", kind.Code)
		seen[kind.Code] = true
		require.NotEmpty(t, kind.Words, kind.Code)
		require.NotEmpty(t, kind.Blame, kind.Code)
	}
	for _, code := range media.Codes() {
		require.True(t, seen[string(code)], "media's %s is not in the table", code)
		kind := KindOf(string(code))
		require.True(t, !strings.HasPrefix(string(code), "source_") || kind.Blame == BlameInput && !kind.Retriable, code)
	}
	for _, code := range media.Problems() {
		require.True(t, seen[code], "media's %s is not in the table", code)
	}
	for _, code := range storage.Codes() {
		require.True(t, seen[string(code)], "storage's %s is not in the table", code)
	}
	require.Equal(t, CodeInternal, KindOf("no such code").Code)
}

func TestFailureOf(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		err  error
		code string
	}{
		{failed(CodePushFailed, StagePush, ""), CodePushFailed},
		{&media.Error{Code: media.CodeSourceNoVideo}, string(media.CodeSourceNoVideo)},
		{&storage.Error{Code: storage.CodeBucketMissing, Err: errors.New("x")}, string(storage.CodeBucketMissing)},
		{&mist.Error{Kind: mist.ErrUnavailable}, CodeMistUnavailable},
		{errors.New("anything"), CodeInternal},
	} {
		require.Equal(t, test.code, failureOf(fmt.Errorf("wrapped: %w", test.err), StageFetch).Code)
	}
}

// What a tenant is told holds nothing of a host's inside; operators are told all.
func TestFailuresTellTenantsNoInside(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		err  error
		told string // beside the table's words
	}{
		{&media.Error{Code: media.CodeSourceTooLong, Text: "it lasts 30 h, 26 h can be done", Path: "/spool/x", Err: errors.New("ffprobe: no")}, "it lasts 30 h, 26 h can be done"},
		{&media.Error{Code: media.CodeSourceUnreadable, Text: "open /spool/0f8fad5bd9cb469fa16570867728950e_1/in: no"}, ""},
		{&storage.Error{Code: storage.CodeS3Refused, Err: errors.New("403 SignatureDoesNotMatch")}, "403 SignatureDoesNotMatch"},
		{&storage.Error{Code: storage.CodeSpoolFailed, Err: errors.New("disk sda3")}, ""},
		{&storage.Error{Code: storage.CodeS3Unavailable, Err: errors.New("dial tcp 10.0.0.7:9000: refused")}, ""},
		{&mist.Error{Kind: mist.ErrUnavailable, Op: "status tr_src_1", URL: "http://127.0.0.1:4242/api2"}, ""},
		{errors.New("pgx: anything"), ""},
		{failed(CodeNothingReturned, StageTranscode, "MistProcLivepeer: exit code 1; its log ends: x"), ""},
		{failed(CodeSegmentRejected, StageTranscode, "x").telling("422 Unprocessable Entity"), "422 Unprocessable Entity"},
		{failed(CodeInternal, StageStore, "").telling("stream tr_rend_+x is gone"), ""},
		{failed(CodeInternal, StageStore, "").telling("one line\nanother"), ""},
		{failed(CodeInternal, StageStore, "").telling("pid 4711 is gone"), ""},
		{failed(CodeInternal, StageStore, "").telling("(s3://bucket/key is no folder)"), "(s3://bucket/key is no folder)"},
	} {
		f := failureOf(test.err, StageStore)
		want := KindOf(f.Code).Words
		if test.told != "" {
			want += " (" + test.told + ")"
		}
		require.Equal(t, want, f.Text)
		if own := (*Failure)(nil); !errors.As(test.err, &own) {
			require.Contains(t, f.Detail, test.err.Error())
		}
	}
	for _, kind := range Kinds() {
		require.False(t, inside.MatchString(kind.Words), kind.Words)
	}
}

// docs/errors.md is the failure table: every line of it is in the code, and says the same,
// and every code is in it.
func TestErrorsAreDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/errors.md")
	require.NoError(t, err)
	const columns = 7
	documented := map[string]Kind{}
	for line := range strings.SplitSeq(string(text), "\n") {
		cells := strings.Split(strings.Trim(line, "| "), " | ")
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		require.Len(t, cells, columns, line)
		code := strings.Trim(cells[0], "`")
		require.NotContains(t, documented, code, "stands twice")
		documented[code] = Kind{}
		kind := KindOf(code)
		require.Equal(t, code, kind.Code, "docs/errors.md has a code that there is not")
		var stages []string
		for _, stage := range kind.Stages {
			stages = append(stages, string(stage))
		}
		require.Equal(t, []string{kind.Words, string(kind.Blame), strings.Join(stages, ", "), kind.Retry()}, cells[1:5], code)
		require.NotEmpty(t, cells[5], code)
		require.NotEmpty(t, cells[6], code)
	}
	for _, kind := range Kinds() {
		require.Contains(t, documented, kind.Code, "docs/errors.md lacks it")
	}
}

// A failure arises only in stages that the table has for it.
func TestFailuresAriseInTheirStages(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	call := regexp.MustCompile(`failed\((Code\w+|string\((?:storage|media)\.Code\w+\)), (Stage\w+)`)
	codes, stages := map[string]string{}, map[string]Stage{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, found := range regexp.MustCompile(`(Code\w+)\s+= "(\w+)"`).FindAllStringSubmatch(string(text), -1) {
			codes[found[1]] = found[2]
		}
		for _, found := range regexp.MustCompile(`(Stage\w+)\s+Stage = "(\w+)"`).FindAllStringSubmatch(string(text), -1) {
			stages[found[1]] = Stage(found[2])
		}
	}
	checked := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, found := range call.FindAllStringSubmatch(string(text), -1) {
			code, known := codes[found[1]]
			if !known {
				continue // media's or storage's
			}
			require.Contains(t, KindOf(code).Stages, stages[found[2]], "%s: %s", file, found[0])
			checked++
		}
	}
	require.Greater(t, checked, 10)
}
