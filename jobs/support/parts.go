package support

import (
	"embed"
	"fmt"
)

// A part's query names its columns: none that is sealed, none that holds what callers send
// or receivers answer. $1 is from when on.
//
//go:embed queries/*.sql
var queries embed.FS

// Part is a file of the bundle.
type Part struct {
	Name string `json:"name"`
	What string `json:"what"`
	Rows int    `json:"rows"`
	// Cut says what is missing, and why; "" where all is there.
	Cut string `json:"cut"`
}

// Parts are all of them, in the order in which they are read.
func Parts() []Part {
	return []Part{
		{Name: "versions", What: "Postgres and the database"},
		{Name: "migrations", What: "the schema's version"},
		{Name: "findings", What: "what doctor found last"},
		{Name: "hosts", What: "hosts, their leases and versions"},
		{Name: "leads", What: "daemons that lead"},
		{Name: "tenants", What: "tenants and their limits"},
		{Name: "stores", What: "stores, without keys"},
		{Name: "placement", What: "whether placement is paused"},
		{Name: "queue", What: "open transcodes by tenant, state and host"},
		{Name: "open", What: "open transcodes, the oldest first, however old"},
		{Name: "inbox", What: "requests by SQL that wait, without bodies"},
		{Name: "failures", What: "failures by code, host and tenant"},
		{Name: "transcodes", What: "recent transcodes"},
		{Name: "attempts", What: "their attempts"},
		{Name: "renditions", What: "their renditions"},
		{Name: "outputs", What: "their outputs"},
		{Name: "triggers", What: "recent triggers, without payloads"},
		{Name: "callbacks", What: "their callbacks, without bodies"},
		{Name: "callback_attempts", What: "each try to deliver one, without answers"},
		{Name: "river_jobs", What: "open jobs by kind, queue and state"},
		{Name: "river_errors", What: "jobs that run, wait or were given up, with their last error"},
		{Name: "river_queues", What: "River's queues"},
		{Name: "river_leader", What: "River's leader"},
		{Name: "postgres_activity", What: "connections of this database; statements of Weir alone"},
		{Name: "postgres_tables", What: "sizes, dead rows and vacuums of tables"},
		{Name: "postgres_indexes", What: "sizes and use of indexes"},
		{Name: "postgres_settings", What: "settings that matter"},
		{Name: "postgres_database", What: "the database's counters"},
	}
}

func (p *Part) query() (string, error) {
	text, err := queries.ReadFile("queries/" + p.Name + ".sql")
	if err != nil {
		return "", fmt.Errorf("part %s: %w", p.Name, err)
	}
	return string(text), nil
}
