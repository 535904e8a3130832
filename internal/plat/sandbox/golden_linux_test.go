package sandbox

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	gobuild "go/build"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/bailey-run/bailey/internal/workerspec"
)

var update = flag.Bool("update", false, "write the files of testdata anew; read the difference before you commit it")

// lastNumber is the last of the numbers whose verdict is on file. The kernel's
// table ends before it.
const lastNumber = 600

// goldenSelf is the process id that filters on file are made for.
const goldenSelf = 1

// goldenArches are the processors that Bailey has filters for.
func goldenArches() []string { return []string{"amd64", "arm64"} }

// syscallList is every call of a processor, by number, as x/sys has them.
func syscallList(t testing.TB, goarch string) map[uint32]string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "syscalls", goarch+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	list := map[uint32]string{}
	for s := bufio.NewScanner(bytes.NewReader(b)); s.Scan(); {
		number, name, _ := strings.Cut(s.Text(), " ")
		n, err := strconv.ParseUint(number, 10, 32)
		if err != nil || name == "" || list[uint32(n)] != "" {
			t.Fatalf("%s: line %q", goarch, s.Text())
		}
		list[uint32(n)] = name
	}
	return list
}

// TestSyscallLists holds the committed lists against the sources of x/sys.
func TestSyscallLists(t *testing.T) {
	pkg, err := gobuild.Import("golang.org/x/sys/unix", ".", gobuild.FindOnly)
	if err != nil {
		t.Fatal(err)
	}
	for _, goarch := range goldenArches() {
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(pkg.Dir, "zsysnum_linux_"+goarch+".go"), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		ast.Inspect(f, func(n ast.Node) bool {
			if v, ok := n.(*ast.ValueSpec); ok && strings.HasPrefix(v.Names[0].Name, "SYS_") {
				fmt.Fprintln(&b, v.Values[0].(*ast.BasicLit).Value, strings.ToLower(strings.TrimPrefix(v.Names[0].Name, "SYS_")))
			}
			return true
		})
		compareGolden(t, filepath.Join("syscalls", goarch+".txt"), b.Bytes())
	}
}

// archOf reads what another processor's source file says, which the compiler
// looks at only there.
func archOf(t testing.TB, goarch string) arch {
	t.Helper()
	numbers := map[string]uint32{}
	for n, name := range syscallList(t, goarch) {
		numbers["SYS_"+strings.ToUpper(name)] = n
	}
	file := "arch_linux_" + goarch + ".go"
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	a := arch{number: map[string]uint32{}}
	number := func(e ast.Expr) uint32 {
		switch e := e.(type) {
		case *ast.BasicLit:
			if n, err := strconv.ParseUint(e.Value, 0, 32); err == nil {
				return uint32(n)
			}
		case *ast.SelectorExpr:
			if n, ok := numbers[e.Sel.Name]; ok {
				return n
			}
		}
		t.Fatalf("%s: %#v is no number", file, e)
		return 0
	}
	ast.Inspect(f, func(n ast.Node) bool {
		kv, ok := n.(*ast.KeyValueExpr)
		if !ok {
			return true
		}
		switch k := kv.Key.(type) {
		case *ast.BasicLit:
			name, _ := strconv.Unquote(k.Value)
			a.number[name] = number(kv.Value)
		case *ast.Ident:
			switch k.Name {
			case "audit":
				a.audit = number(kv.Value)
			case "last":
				a.last = number(kv.Value)
			case "x32":
				a.x32 = kv.Value.(*ast.Ident).Name == "true"
			case "number":
			default:
				t.Fatalf("%s has a field %s", file, k.Name)
			}
		}
		return true
	})
	return a
}

// TestArchOf: what is read out of a source file is what the compiler makes of
// it, so that the other processor's is believed.
func TestArchOf(t *testing.T) {
	if got, want := archOf(t, runtime.GOARCH), native(); !reflect.DeepEqual(got, want) {
		t.Errorf("read %+v, compiled %+v", got, want)
	}
}

// golden is one filter, and whose it is.
type golden struct {
	whose string
	prog  []insn
}

// goldens are the filters of every kind, equal ones once.
func goldens(t testing.TB, a arch) []golden {
	t.Helper()
	var all []golden
	add := func(whose string, prog []insn, err error) {
		if err != nil {
			t.Fatalf("%s: %v", whose, err)
		}
		for i := range all {
			if slices.Equal(all[i].prog, prog) {
				all[i].whose += ", " + whose
				return
			}
		}
		all = append(all, golden{whose, prog})
	}
	for _, s := range append(workerspec.All(), workerspec.Hosts()...) {
		p, err := compatFilter(s, a)
		add("deny-list of "+s.Kind, p, err)
	}
	for _, s := range listed() {
		p, err := strictFilter(s, a, goldenSelf)
		add("allow-list of "+s.Kind, p, err)
	}
	return all
}

// edges are the values at which a condition changes its mind, and beside them.
func edges(c workerspec.Cond) []uint64 {
	const high = 1 << 32
	switch c.Op {
	case workerspec.NoBits:
		v := []uint64{0, ^c.Value, ^uint64(0)}
		for bit := uint64(1); bit != 0; bit <<= 1 {
			if c.Value&bit != 0 {
				v = append(v, bit, bit|high)
			}
		}
		return v
	case workerspec.IoctlType:
		const low, beside = 0xff, 1 << 16
		t := c.Value << 8
		return []uint64{0, t - 1, t, t | low, t | beside, t | high, t + low + 1, ^uint64(0)}
	case workerspec.Self:
		return []uint64{0, goldenSelf, goldenSelf + 1, goldenSelf | high}
	}
	return []uint64{0, c.Value - 1, c.Value, c.Value + 1, c.Value | high, ^uint64(0)}
}

// base is a value that satisfies a condition: of several the smallest, or, when
// it is about bits, all others, which another alternative may refuse.
func base(c workerspec.Cond, full bool) uint64 {
	switch c.Op {
	case workerspec.NoBits:
		if full {
			return ^c.Value
		}
	case workerspec.Equal, workerspec.Equal32:
		return c.Value
	case workerspec.IoctlType:
		return c.Value << 8
	case workerspec.Self:
		return goldenSelf
	case workerspec.Not32:
		if c.Value == 0 {
			return 1
		}
	}
	return 0
}

// argumentCalls are the calls of every name that some filter looks into: from a
// tuple that an alternative takes, one argument after the other is led over its
// edges.
func argumentCalls() map[string][][6]uint64 {
	calls := map[string]map[[6]uint64]bool{}
	add := func(rules []workerspec.Syscall) {
		for _, s := range rules {
			if len(s.Any) == 0 {
				continue
			}
			if calls[s.Name] == nil {
				calls[s.Name] = map[[6]uint64]bool{{}: true}
			}
			for _, alt := range s.Any {
				for _, full := range []bool{false, true} {
					var from [6]uint64
					for _, c := range alt {
						from[c.Arg] = max(from[c.Arg], base(c, full))
					}
					for _, c := range alt {
						for _, v := range edges(c) {
							to := from
							to[c.Arg] = v
							calls[s.Name][to] = true
						}
					}
				}
			}
		}
	}
	for _, s := range listed() {
		add(s.Syscalls)
	}
	add(compatRules())
	for _, s := range append(workerspec.All(), workerspec.Hosts()...) {
		if r, err := socketCalls(s.Sockets); err == nil {
			add([]workerspec.Syscall{r})
		}
	}
	sorted := map[string][][6]uint64{}
	for name, set := range calls {
		sorted[name] = slices.SortedFunc(maps.Keys(set), func(a, b [6]uint64) int { return slices.Compare(a[:], b[:]) })
	}
	return sorted
}

// goldenRow is one line: calls that every filter answers alike.
type goldenRow struct {
	what  string
	calls []call64
}

// goldenRows are all lines of a processor's file.
func goldenRows(t testing.TB, a arch, names map[uint32]string) []goldenRow {
	t.Helper()
	name := func(n uint32) string {
		if s, ok := names[n]; ok {
			return fmt.Sprintf("%d %s", n, s)
		}
		return fmt.Sprintf("%#x", n)
	}
	var rows []goldenRow
	for n := range uint32(lastNumber + 1) {
		rows = append(rows, goldenRow{name(n), []call64{{number: n, audit: a.audit}}})
	}
	args := argumentCalls()
	for _, n := range slices.Sorted(maps.Keys(args)) {
		number, ok := a.number[n]
		if !ok {
			continue // a call that this processor does not have
		}
		for _, v := range args[n] {
			last := 5
			for last > 0 && v[last] == 0 {
				last--
			}
			shown := make([]string, last+1)
			for i := range shown {
				shown[i] = fmt.Sprintf("%#x", v[i])
			}
			rows = append(rows, goldenRow{n + "(" + strings.Join(shown, ", ") + ")", []call64{{number, a.audit, v}}})
		}
	}
	for _, n := range []uint32{x32Flag - 1, x32Flag, x32Flag + 1, 1<<31 - 1, 1 << 31, ^uint32(0)} {
		rows = append(rows, goldenRow{name(n), []call64{{number: n, audit: a.audit}}})
	}
	// i386, arm, the two 64-bit ones, riscv64, big-endian arm64, none.
	for _, audit := range []uint32{0x40000003, 0x40000028, 0xc000003e, 0xc00000b7, 0xc00000f3, 0x800000b7, 0} {
		if audit == a.audit {
			continue
		}
		r := goldenRow{what: fmt.Sprintf("architecture %#x, 0 to %d", audit, lastNumber)}
		for n := range uint32(lastNumber + 1) {
			r.calls = append(r.calls, call64{number: n, audit: audit})
		}
		rows = append(rows, r)
	}
	return rows
}

func verdictName(v uint32) string {
	switch v {
	case actAllow:
		return "allow"
	case actKill:
		return "kill"
	case actErrno | 1:
		return "EPERM"
	case actErrno | 13:
		return "EACCES"
	case actErrno | 97:
		return "EAFNOSUPPORT"
	case actErrno | 38:
		return "ENOSYS"
	}
	return fmt.Sprintf("%#x", v)
}

// TestGoldenFilters holds the verdict of every filter of every kind, on every
// processor, for every number and at every edge of an argument, against
// testdata/filters.
func TestGoldenFilters(t *testing.T) {
	for _, goarch := range goldenArches() {
		a := archOf(t, goarch)
		all := goldens(t, a)
		var b bytes.Buffer
		for i, g := range all {
			fmt.Fprintf(&b, "# %c: %s (%d instructions)\n", 'A'+i, g.whose, len(g.prog))
		}
		fmt.Fprintln(&b, "# A number is called with all arguments zero; arguments that are not shown are.")
		fmt.Fprintf(&b, "%-46s", "# call")
		for i := range all {
			fmt.Fprintf(&b, " %-6c", 'A'+i)
		}
		// Numbers without a name that are answered alike are one line.
		var pending []string
		var line string
		flush := func() {
			switch len(pending) {
			case 0:
				return
			case 1:
				fmt.Fprintf(&b, "\n%-46s%s", pending[0], line)
			default:
				fmt.Fprintf(&b, "\n%-46s%s", pending[0]+" to "+pending[len(pending)-1], line)
			}
			pending = nil
		}
		for _, r := range goldenRows(t, a, syscallList(t, goarch)) {
			var verdicts strings.Builder
			for _, g := range all {
				v := interpret(t, g.prog, r.calls[0])
				for _, c := range r.calls {
					if got := interpret(t, g.prog, c); got != v {
						t.Errorf("%s: %s of %s: call %d is answered %s, the first %s", goarch, r.what, g.whose, c.number, verdictName(got), verdictName(v))
					}
				}
				fmt.Fprintf(&verdicts, " %-6s", verdictName(v))
			}
			if len(pending) > 0 && (line != verdicts.String() || !strings.HasPrefix(r.what, "0x")) {
				flush()
			}
			line = verdicts.String()
			pending = append(pending, r.what)
			if !strings.HasPrefix(r.what, "0x") {
				flush()
			}
		}
		flush()
		b.WriteByte('\n')
		compareGolden(t, filepath.Join("filters", goarch+".txt"), trimLines(b.Bytes()))
	}
}

func trimLines(b []byte) []byte {
	var out bytes.Buffer
	for l := range bytes.Lines(b) {
		out.Write(bytes.TrimRight(l, " \n"))
		out.WriteByte('\n')
	}
	return out.Bytes()
}

func compareGolden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(got, want) {
		return
	}
	g, w := strings.Split(string(got), "\n"), strings.Split(string(want), "\n")
	for i := range max(len(g), len(w)) {
		if i >= len(g) || i >= len(w) || g[i] != w[i] {
			t.Fatalf("%s, line %d:\n%s\non file:\n%s", path, i+1, strings.Join(g[min(i, len(g)):min(i+1, len(g))], ""), strings.Join(w[min(i, len(w)):min(i+1, len(w))], ""))
		}
	}
}

// mutants are the instructions that stand for i when someone made a mistake:
// the comparison turned round, one value beside, another verdict.
func mutants(i insn) []insn {
	switch i.code {
	case opRet:
		allow, kill := i, i
		allow.k, kill.k = actAllow, actKill
		return slices.DeleteFunc([]insn{allow, kill}, func(m insn) bool { return m == i })
	case opAnd:
		all, none := i, i
		all.k, none.k = ^uint32(0), 0
		return []insn{all, none}
	case opJeq, opJgt, opJge, opJset:
		turned, beside := i, i
		turned.jt, turned.jf = i.jf, i.jt
		beside.k++
		return slices.DeleteFunc([]insn{turned, beside}, func(m insn) bool { return m == i })
	}
	return nil
}

// TestGoldenKillsMutants changes every instruction of every filter: some line
// on file must tell. A filter without its test of the architecture, or without
// one rule, is among them.
func TestGoldenKillsMutants(t *testing.T) {
	for _, goarch := range goldenArches() {
		a := archOf(t, goarch)
		var calls []call64
		for _, r := range goldenRows(t, a, syscallList(t, goarch)) {
			calls = append(calls, r.calls...)
		}
		count := 0
		for _, g := range goldens(t, a) {
			// Which calls come by an instruction.
			by := make([][]call64, len(g.prog))
			for _, c := range calls {
				visit(t, g.prog, c, func(pc int) { by[pc] = append(by[pc], c) })
			}
			for pc, i := range g.prog {
				if len(by[pc]) == 0 {
					t.Errorf("%s, %s: no line comes by instruction %d, %+v", goarch, g.whose, pc, i)
				}
				for _, m := range mutants(i) {
					count++
					mutant := slices.Clone(g.prog)
					mutant[pc] = m
					if !slices.ContainsFunc(by[pc], func(c call64) bool { return interpret(t, mutant, c) != interpret(t, g.prog, c) }) {
						t.Errorf("%s, %s: instruction %d may be %+v as well as %+v", goarch, g.whose, pc, m, i)
					}
				}
			}
		}
		t.Logf("%s: %d mutants told apart by %d calls", goarch, count, len(calls))
	}
}

// TestGoldenKillsOmissions leaves out the test of the architecture, that of
// x32, and each rule of each kind.
func TestGoldenKillsOmissions(t *testing.T) {
	for _, goarch := range goldenArches() {
		a := archOf(t, goarch)
		var calls []call64
		for _, r := range goldenRows(t, a, syscallList(t, goarch)) {
			calls = append(calls, r.calls...)
		}
		tells := func(what string, whole, less []insn) {
			t.Helper()
			if !slices.ContainsFunc(calls, func(c call64) bool { return interpret(t, whole, c) != interpret(t, less, c) }) {
				t.Errorf("%s: no line tells that %s is missing", goarch, what)
			}
		}
		for _, g := range goldens(t, a) {
			tells(g.whose+": the architecture", g.prog, g.prog[3:])
			if a.x32 {
				tells(g.whose+": x32", g.prog, slices.Delete(slices.Clone(g.prog), 4, 6))
			}
		}
		for _, s := range listed() {
			whole, err := strictFilter(s, a, goldenSelf)
			if err != nil {
				t.Fatal(err)
			}
			for i, rule := range s.Syscalls {
				if _, ok := a.number[rule.Name]; !ok {
					continue
				}
				less := s
				less.Syscalls = slices.Delete(slices.Clone(s.Syscalls), i, i+1)
				prog, err := strictFilter(less, a, goldenSelf)
				if err != nil {
					t.Fatal(err)
				}
				tells(s.Kind+": "+rule.Name, whole, prog)
				for j := range rule.Any {
					for k := range rule.Any[j] {
						alt := slices.Delete(slices.Clone(rule.Any[j]), k, k+1)
						if len(alt) == 0 {
							continue // the alternative would hold always, which is the next rule's case
						}
						r := rule
						r.Any = slices.Clone(rule.Any)
						r.Any[j] = alt
						less.Syscalls = slices.Clone(s.Syscalls)
						less.Syscalls[i] = r
						prog, err := strictFilter(less, a, goldenSelf)
						if err != nil {
							t.Fatal(err)
						}
						tells(fmt.Sprintf("%s: condition %d of alternative %d of %s", s.Kind, k, j, rule.Name), whole, prog)
					}
				}
			}
		}
	}
}
