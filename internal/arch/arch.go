// Package arch holds the house rules of the source as tests: which package may
// import which, what may touch the operating system, and what nobody writes. It
// has no code of its own and nobody imports it.
//
// The rules parse every file of the tree in this process, whatever system it is
// built for. A test that asked `go list` would be answered from the test cache
// with a violation in place, since the cache does not see what a child reads,
// and would see one system's files only.
//
// Each rule is data (see rules_test.go) with a fixture that breaks it, so that
// a rule which cannot fail is noticed. An exception stands in exceptions_test.go
// with its reason; one that no longer excepts anything is an error too.
package arch
