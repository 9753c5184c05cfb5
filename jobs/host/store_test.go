package host

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"weir/jobs"
	"weir/storage"
)

// A store waits for what can pass; what S3 refuses would be refused for a day.
func TestPatientWith(t *testing.T) {
	t.Parallel()
	patient := map[storage.Code]bool{
		storage.CodeS3Unavailable: true, storage.CodeChecksumMismatch: true, storage.CodeUploadUnverified: true, storage.CodeSpoolFull: true,
	}
	for _, code := range storage.Codes() {
		err := fmt.Errorf("upload: %w", &storage.Error{Code: code})
		require.Equal(t, patient[code], patientWith(err), code)
	}
	require.False(t, patientWith(jobs.Failed(string(storage.CodeS3Unavailable), jobs.StageStore, "")), "no storage error")
}
