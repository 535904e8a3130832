package sandbox

import "github.com/bailey-run/bailey/internal/workerspec"

// Broken names the probes of the spec that were not tried, or were not refused
// as they must be. A worker is given work only when there are none. The answers
// come from the worker: they say what its layers do, not that it is honest;
// what it could lie about is what [Check] sees from outside.
func Broken(spec workerspec.Spec, attempts []Attempt) []string {
	var bad []string
	for i, p := range spec.Probes {
		if i >= len(attempts) || attempts[i].Name != p.Name || !attempts[i].Held {
			bad = append(bad, p.Name)
		}
	}
	return bad
}
