//go:build bailey_hostile

// Attacker is the hostile worker of test/hostile, and its launcher: one binary
// in both roles. As launcher it starts itself through sandbox.Start, with every
// layer or, for a control run, with some left out or with no sandbox at all, and
// reports what the attack inside achieved. It is built with the tag
// bailey_hostile, which alone can leave a layer out; nothing of it is shipped.
package main
