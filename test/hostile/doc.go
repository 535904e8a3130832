// Package hostile attacks the real sandbox with real payloads.
//
// Its tests build the binary of test/hostile/attacker, run it as root where
// they are root and as an ordinary user always, and hold what each attack
// achieved against the table of escape attempts. Every row has a control run,
// with the protection off, in which the attack works: a row that could not fail
// would prove nothing.
package hostile
