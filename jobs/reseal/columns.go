package reseal

import (
	"weir/jobs"
	"weir/jobs/tenants"
)

// Column is a column of schema weir that holds sealed values.
type Column struct {
	Table, Name string
	// Key are the columns that name a row, and Context is what its value is sealed for,
	// by their values as text.
	Key     []string
	Context func(key []string) string
}

// Columns are all that hold sealed values.
func Columns() []Column {
	return []Column{
		{"transcodes", "source_sealed", []string{"id"}, transcodes(jobs.SealedSource)},
		{"transcodes", "output_sealed", []string{"id"}, transcodes(jobs.SealedOutput)},
		{"transcodes", "callback_sealed", []string{"id"}, transcodes(jobs.SealedCallback)},
		{"transcodes", "livepeer_sealed", []string{"id"}, transcodes(jobs.SealedLivepeer)},
		{"stores", "keys_sealed", []string{"tenant", "name"}, func(key []string) string { return tenants.SealedFor(key[0], key[1]) }},
		{"outputs", "sealed", []string{"transcode_id", "ordinal"}, func(key []string) string {
			return (jobs.SealedOutput + "/" + jobs.Sealed(key[1])).Context(key[0])
		}},
		{"transcodes", "callback_secret_sealed", []string{"id"}, transcodes(jobs.SealedCallbackSecret)},
		{"transcodes", "events_sealed", []string{"id"}, transcodes(jobs.SealedEvents)},
		{"callback_secrets", "sealed", []string{"tenant", "id"}, func(key []string) string { return jobs.TenantSecretContext(key[0], key[1]) }},
	}
}

func transcodes(column jobs.Sealed) func([]string) string {
	return func(key []string) string { return column.Context(key[0]) }
}
