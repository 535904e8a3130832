// Package cores says how many processor cores this process may use for hard
// work: physical ones, since two threads of one core share what computes, of
// those that its affinity and its control group let it use. It refuses nothing:
// what cannot be read counts as no limit. The core asks it for its engines, whose
// own root has nothing to read, and an engine that was told nothing asks it.
package cores

// Default is how many threads an engine uses: the usable cores less one, which
// stays for those who wait for it, and at least one.
func Default() int { return max(1, Usable()-1) }

// Usable is the number of physical cores that may be used, at least 1.
func Usable() int { return max(1, usable()) }
