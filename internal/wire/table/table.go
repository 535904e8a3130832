// Package table is the one list of all methods that exist on any wire of
// Bailey, with the policy of each. It is generated from schema/; whoever
// decides about a call (the core, a worker's kit, a test) looks it up here, and
// what is not here does not exist.
package table
