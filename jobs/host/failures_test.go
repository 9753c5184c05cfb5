package host

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"weir/jobs"
	"weir/media"
	"weir/mist"
	"weir/storage"
)

// The table has a line for every failure that the leaves name, and for no other but those
// of the state machine.
func TestLeavesAreInTheFailureTable(t *testing.T) {
	t.Parallel()
	leaves := map[string]bool{mist.CodeUnavailable: true}
	for _, code := range media.Codes() {
		leaves[string(code)] = true
		kind := jobs.KindOf(string(code))
		require.True(t, !strings.HasPrefix(string(code), "source_") || kind.Blame == jobs.BlameInput && !kind.Retriable, code)
	}
	for _, code := range media.Problems() {
		leaves[code] = true
	}
	for _, code := range storage.Codes() {
		leaves[string(code)] = true
		// What whoever made the request can mend it is told.
		blame := jobs.KindOf(string(code)).Blame
		told := (&storage.Error{Code: code, Err: errors.New("x")}).FailureText() != ""
		require.Equal(t, blame == jobs.BlameInput || blame == jobs.BlameStorage, told, code)
	}
	for code := range leaves {
		require.Equal(t, code, jobs.KindOf(code).Code, "it is not in the table")
	}
	text, err := os.ReadFile("../failures.go")
	require.NoError(t, err)
	for _, own := range regexp.MustCompile(`(?m)^\tCode\w+\s+= "(\w+)"$`).FindAllStringSubmatch(string(text), -1) {
		leaves[own[1]] = true
	}
	for _, kind := range jobs.Kinds() {
		require.True(t, leaves[kind.Code], "nobody fails with %s", kind.Code)
	}
}

func TestFailureOf(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		err  error
		code string
	}{
		{jobs.Failed(jobs.CodePushFailed, jobs.StagePush, ""), jobs.CodePushFailed},
		{&media.Error{Code: media.CodeSourceNoVideo}, string(media.CodeSourceNoVideo)},
		{&storage.Error{Code: storage.CodeBucketMissing, Err: errors.New("x")}, string(storage.CodeBucketMissing)},
		{&mist.Error{Kind: mist.ErrUnavailable}, jobs.CodeMistUnavailable},
		{errors.New("anything"), jobs.CodeInternal},
	} {
		require.Equal(t, test.code, jobs.FailureOf(fmt.Errorf("wrapped: %w", test.err), jobs.StageFetch).Code)
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
		{jobs.Failed(jobs.CodeNothingReturned, jobs.StageTranscode, "MistProcLivepeer: exit code 1; its log ends: x"), ""},
		{jobs.Failed(jobs.CodeSegmentRejected, jobs.StageTranscode, "x").Telling("422 Unprocessable Entity"), "422 Unprocessable Entity"},
		{jobs.Failed(jobs.CodeInternal, jobs.StageStore, "").Telling("stream tr_rend_+x is gone"), ""},
		{jobs.Failed(jobs.CodeInternal, jobs.StageStore, "").Telling("one line\nanother"), ""},
		{jobs.Failed(jobs.CodeInternal, jobs.StageStore, "").Telling("pid 4711 is gone"), ""},
		{jobs.Failed(jobs.CodeInternal, jobs.StageStore, "").Telling("(s3://bucket/key is no folder)"), "(s3://bucket/key is no folder)"},
	} {
		f := jobs.FailureOf(test.err, jobs.StageStore)
		want := jobs.KindOf(f.Code).Words
		if test.told != "" {
			want += " (" + test.told + ")"
		}
		require.Equal(t, want, f.Text)
		if own := (*jobs.Failure)(nil); !errors.As(test.err, &own) {
			require.Contains(t, f.Detail, test.err.Error())
		}
	}
}
