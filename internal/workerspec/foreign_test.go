package workerspec

import (
	"reflect"
	"slices"
	"testing"
)

// TestForeignDifferences: in a spec as it is used for anyone's program no field is
// another one that the list of differences does not name, and none is named that is
// the same.
func TestForeignDifferences(t *testing.T) {
	named := map[string]string{
		"Descriptors": DiffDescriptors, "Handed": DiffHanded, "Methods": DiffProbes, "Probes": DiffProbes, "Mounts": DiffMounts, "Syscalls": DiffStart,
	}
	// What is told of a start, and stands in no field of a spec.
	beside := []string{DiffArguments, DiffFilter, DiffProgram, DiffDumpable}
	for _, s := range All() {
		var all []Taken
		for _, m := range s.Mounts {
			all = append(all, Taken{m.Target, m.Write})
		}
		for what, taken := range map[string][]Taken{"all": all, "none": nil} {
			worker, program := reflect.ValueOf(s.Taking(all...)), reflect.ValueOf(s.Foreign().Taking(without(s, taken, all)...))
			diffs := s.Differences(taken...)
			has := func(name string) bool {
				return slices.ContainsFunc(diffs, func(d Difference) bool { return d.Name == name })
			}
			found := map[string]bool{}
			for i := range worker.NumField() {
				name := worker.Type().Field(i).Name
				a, b := worker.Field(i).Interface(), program.Field(i).Interface()
				if name == "Mounts" {
					a, b = targets(s.Taking(all...)), targets(s.Foreign().Taking(without(s, taken, all)...))
				}
				if reflect.DeepEqual(a, b) {
					continue
				}
				found[named[name]] = true
				optional := name == "Mounts" && !slices.ContainsFunc(s.Mounts, func(m Mount) bool { return !m.Own && !m.Code && !m.Optional })
				if !has(named[name]) && !optional {
					t.Errorf("%s, with %s: the field %s differs, and nobody is told", s.Kind, what, name)
				}
			}
			for _, d := range diffs {
				if d.Worker == "" || d.Program == "" || !found[d.Name] && !slices.Contains(beside, d.Name) {
					t.Errorf("%s, with %s: told of %s, which is the same", s.Kind, what, d.Name)
				}
			}
			if exec := s.Class == Exec; has(DiffStart) == exec || has(DiffDumpable) != exec || !has(DiffFilter) || !has(DiffArguments) || !has(DiffProgram) {
				t.Errorf("%s: %+v", s.Kind, diffs)
			}
		}
	}
}

// without are the mounts of a run that was allowed taken: what is a person's goes,
// what is the worker's own stays.
func without(s Spec, taken, all []Taken) []Taken {
	return slices.DeleteFunc(slices.Clone(all), func(a Taken) bool {
		i := slices.IndexFunc(Folders(s), func(m Mount) bool { return m.Target == a.Target })
		return i >= 0 && !slices.Contains(taken, a)
	})
}

func targets(s Spec) []string {
	var ts []string
	for _, m := range s.Mounts {
		ts = append(ts, m.Target)
	}
	return ts
}

// TestForeignTakesNothing: making the spec of a program leaves that of the worker as
// it was.
func TestForeignTakesNothing(t *testing.T) {
	for _, s := range All() {
		before, _ := For(s.Kind)
		s.Foreign()
		if !reflect.DeepEqual(before, s) {
			t.Errorf("%s was changed", s.Kind)
		}
	}
}
