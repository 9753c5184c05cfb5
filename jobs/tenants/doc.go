// Package tenants is what operators say of tenants: how much of the fleet each may have
// (docs/tenants.md), whether it is paused, and its named stores. It is rows alone, and works
// while no daemon is up. Whose turn it is by these rows, jobs/control decides.
package tenants
