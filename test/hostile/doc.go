// Package hostile attacks the real sandbox with real payloads.
//
// Its tests build the binary of test/hostile/attacker, run it as root where
// they are root and as an ordinary user always, and hold what each attack
// achieved against the table of escape attempts. Every row has a control run,
// with the protection off, in which the attack works: a row that could not fail
// would prove nothing.
//
// The table is data: every file of the directory rows. Whoever has an idea how
// to get out adds a file, or a row to one:
//
//	attempt sethostname by number
//	row own
//	needs E68
//	does renames the machine
//	reach inside
//	call sethostname "x" 1
//	must SIGSYS
//	reaches EPERM
//	root reaches OK
//
// Rows are separated by an empty line; a line that begins with # is a comment;
// every other line is a field and its value:
//
//	attempt  its name, once in all files
//	row      the row of the requirements (E1), or "own"
//	needs    further requirements, separated by commas; a row of its own has one at
//	         least: a row that it varies (E68), or what SECURITY.md says (R25)
//	does     one sentence for docs/hostile.md
//	reach    outside: it reaches a file, a process, a network or a socket that is
//	         not the worker's; no kind and no level may let it. inside: it widens
//	         what is tried next
//	call     a system call by name and up to six arguments: numbers as in Go,
//	         "text", $zeros (a page of them), $core (the core's process id), and
//	         $grant/x, $data/x, $host/x (files of a grant, of the worker's own
//	         directory, of the host). Without it package attacker has the code
//	must     what may be answered: errnos, SIGSYS for a worker that is killed for
//	         the call, or "refused" for any of them
//	handed   the same for workers that open nothing and are handed what they read
//	jit, exec, engine, graphics
//	         the same for one class; "lets: " and the reason when it passes
//	a kind's name
//	         the same for one kind
//	level2   the same where there are no namespaces
//	only     granted, handed, opens, writes, native, engine, offline: the kinds that it
//	         speaks of, by what they have
//	alone    the one layer that stops it, and why there is no second
//	control  "without " and the layers that are left out in the control run;
//	         without the field all are. "none: " and the reason, when no run can
//	         differ
//	reaches  what the control run is answered; OK when it is not said
//	root reaches
//	         the same as root, whose control runs have mounts of their own
//	got      the evidence that the control run must bring back
//	descriptors odd
//	         it needs descriptors that differ from the declared ones
//	test     the test that tries it, when it is not TestEscapes; behind its directory
//	         when it is one of control groups, or needs a real core
//	untried  why nothing tries it yet
//
// One attempt alone, in each kind that it speaks of, and then its line in
// docs/hostile.md:
//
//	go test ./test/hostile -v -run 'TestEscapes|TestLevel2$' -args -row 'host name'
//	go test ./test/hostile -run TestDocument -update
//
// What may be left out, and when, stands in skips.txt. A row whose control run
// does not work is not skipped: it fails.
package hostile
