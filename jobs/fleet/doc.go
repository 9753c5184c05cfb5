// Package fleet shows what goes on now over all hosts and tenants: slots, queues, what runs
// and how far it is, what failed lately, and what is still to be told.
package fleet
