package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// The installations that are measured, below the desk's directory: each has the
// programs in its bin, and differs in the pages that its core is linked with.
const (
	armStudio = "studio" // as it is shipped
	armHello  = "hello"  // a page with one heading
	armCalls  = "calls"  // the pages of page/, and a window that notes calls
)

const helloPage = "<!doctype html><meta charset=utf-8><title>hello</title><body><h1>Hello</h1>\n"

// programs are those of an installation.
func programs() []string {
	return []string{"bailey", "bailey-core", "bailey-worker", "bailey-engine", "bailey-window", "bailey-prompt"}
}

// build makes the arms and the peers.
func build(dir string, o options) error {
	top, err := filepath.Abs("../..")
	if err != nil {
		return err
	}
	bin, err := filepath.Abs(o.bin)
	if err != nil {
		return err
	}
	b := builder{dir: dir, top: top, bin: bin}
	for _, arm := range []string{armStudio, armHello, armCalls} {
		b.arm(arm)
	}
	b.hello()
	b.calls()
	b.peers()
	b.stories()
	if b.err == nil && !o.shared && os.Geteuid() == 0 {
		b.err = b.ownLibraries()
	}
	return b.err
}

type builder struct {
	dir, top, bin string
	err           error
}

func (b *builder) path(parts ...string) string {
	return filepath.Join(append([]string{b.dir}, parts...)...)
}

func (b *builder) run(at string, env []string, argv ...string) string {
	if b.err != nil {
		return ""
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir, cmd.Env = at, append(os.Environ(), env...)
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		b.err = fmt.Errorf("%s: %w\n%s%s", strings.Join(argv, " "), err, out, said.String())
	}
	return string(out)
}

func (b *builder) do(f func() error) {
	if b.err == nil {
		b.err = f()
	}
}

// arm is a copy of the programs.
func (b *builder) arm(name string) {
	b.do(func() error {
		to := b.path(name, "bin")
		if err := os.MkdirAll(to, 0o755); err != nil {
			return err
		}
		for _, p := range programs() {
			if err := copyFile(filepath.Join(to, p), filepath.Join(b.bin, p)); err != nil {
				return fmt.Errorf("%w: run make build first", err)
			}
		}
		for _, d := range []string{"apps", "engine"} {
			err := os.CopyFS(filepath.Join(to, d), os.DirFS(filepath.Join(b.bin, d)))
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		return nil
	})
}

// link builds an arm's core anew for the apps that lie there.
func (b *builder) link(arm string, more ...string) {
	release := strings.TrimSpace(b.run("/", nil, filepath.Join(b.bin, "bailey"), "version"))
	flags := b.run(b.top, nil, "go", "run", "./tools/packapp", "-flags", b.path(arm, "bin", "apps"))
	ld := "-s -w -buildid= -X github.com/bailey-run/bailey/internal/release.version=" + release + " " + strings.Join(strings.Fields(flags), " ")
	argv := append([]string{"go", "build", "-trimpath", "-ldflags", ld}, more...)
	b.run(b.top, []string{"CGO_ENABLED=0"}, append(argv, "-o", b.path(arm, "bin", "bailey-core"), "./cmd/bailey-core")...)
}

func (b *builder) pack(from, arm, app string) {
	b.run(b.top, nil, "go", "run", "./tools/packapp", from, b.path(arm, "bin", "apps", app+".tar"))
}

func (b *builder) write(path, text string) {
	b.do(func() error {
		return errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644))
	})
}

func (b *builder) hello() {
	b.write(b.path("pages", armHello, "index.html"), helloPage)
	b.pack(b.path("pages", armHello), armHello, "studio")
	b.link(armHello)
}

// calls builds the pages and the window of armCalls, and its core with one row
// of a table changed: a call that a worker answers in no time is recorded as
// others are, which is what is to be measured.
func (b *builder) calls() {
	b.run(filepath.Join(b.top, "bench", "window", "page"), nil, "node", "build.mjs", b.path("pages", armCalls))
	for _, app := range []string{"studio", "panels"} {
		at := b.path("pages", armCalls, app)
		b.write(at+"/index.html", "<!doctype html><meta charset=utf-8><title>bench</title><body><h1>Bench</h1><script type=module src=./page.js></script>\n")
		if app == "studio" {
			b.write(at+"/plan.json", plan())
		}
		b.pack(at, armCalls, app)
	}
	overlay := b.overlay("internal/wire/enginev1/engine_bailey.pb.go", "EngineService/Stats", "Audit_AUDIT_NONE", "Audit_AUDIT_METADATA")
	b.link(armCalls, "-overlay", overlay)
	var src []string
	b.do(func() (err error) {
		src, err = filepath.Glob(b.top + "/cmd/bailey-window/*.c")
		src = slices.DeleteFunc(src, func(p string) bool { return strings.HasSuffix(p, "_test.c") })
		return err
	})
	b.run(b.top, nil, "make", "build/include/page.inc")
	flags := strings.Fields(b.run("/", nil, "pkg-config", "--cflags", "--libs", "webkitgtk-6.0", "gio-unix-2.0"))
	argv := append([]string{"cc", "-std=gnu11", "-O2", "-fPIE", "-pie", "-s", "-Wl,--wrap=link_send", "-I" + b.top + "/build/include", "-o", b.path(armCalls, "bin", "bailey-window")}, src...)
	b.run(b.top, nil, append(append(argv, "bench/window/tap/tap.c"), flags...)...)
	// The prompt that says when it has painted.
	prompt, err := filepath.Glob(b.top + "/cmd/bailey-prompt/*.c")
	b.do(func() error { return err })
	flags = strings.Fields(b.run("/", nil, "pkg-config", "--cflags", "--libs", "gtk4", "x11", "gio-unix-2.0"))
	argv = append([]string{"cc", "-std=gnu11", "-O2", "-fPIE", "-pie", "-s", "-DBAILEY_TRACE", "-o", b.path("traced-prompt")}, prompt...)
	b.run(b.top, nil, append(argv, flags...)...)
}

// overlay has go build see a file with one word changed in the entry of a method,
// and returns the overlay's name.
func (b *builder) overlay(file, method, from, to string) string {
	name := b.path("overlay.json")
	b.do(func() error {
		text, err := os.ReadFile(filepath.Join(b.top, file))
		if err != nil {
			return err
		}
		before, entry, ok := strings.Cut(string(text), method+`"`)
		if !ok || !strings.Contains(entry[:min(len(entry), 400)], from) {
			return fmt.Errorf("%s: no entry of %s with %s", file, method, from)
		}
		changed := before + method + `"` + strings.Replace(entry, from, to, 1)
		return errors.Join(
			os.WriteFile(b.path("overlay.go"), []byte(changed), 0o644),
			os.WriteFile(name, fmt.Appendf(nil, `{"Replace":{%q:%q}}`, filepath.Join(b.top, file), b.path("overlay.go")), 0o644),
		)
	})
	return name
}

// peers are what Bailey is measured against.
func (b *builder) peers() {
	b.run(b.top, nil, "make", "webview-floor")
	b.do(func() error {
		return copyFile(b.path("webview-floor"), filepath.Join(b.top, "build/bench/webview-floor"))
	})
	b.run(filepath.Join(b.top, "bench"), []string{"CGO_ENABLED=0"}, "go", "build", "-o", b.path("hop-floor"), "./hop-floor")
	if b.err != nil {
		return
	}
	// Wails wants other libraries: without them, its column stays empty.
	b.run(filepath.Join(b.top, "bench", "wails"), []string{"CGO_ENABLED=1"}, "go", "build", "-tags", "desktop,production,webkit2_41", "-ldflags", "-s -w", "-o", b.path("wails-hello"), ".")
	if b.err != nil {
		fmt.Fprintln(os.Stderr, "window: without Wails (apt-get install libwebkit2gtk-4.1-dev):", b.err)
		b.err = nil
	}
}

// stories is Studio with its mock core, as a site.
func (b *builder) stories() {
	b.run(filepath.Join(b.top, "apps", "studio"), nil, "../../node_modules/.bin/vite", "build", "--mode", "stories", "--logLevel", "warn", "--outDir", b.path("stories"))
}

func copyFile(to, from string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, 0o755)
}

// ownLibraries gives everything that is measured its own files of the libraries,
// in a mount namespace of this process's: PSS divides a page by the processes
// that have it, and others on the machine may have windows open too.
func (b *builder) ownLibraries() error {
	// The mounts are this thread's, and what is started from it has them.
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return err
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	files := map[string]bool{}
	for _, p := range []string{b.path(armStudio, "bin", "bailey-window"), b.path(armStudio, "bin", "bailey-prompt"), b.path("webview-floor"), b.path("wails-hello")} {
		if _, err := os.Stat(p); err != nil {
			continue
		}
		for _, f := range strings.Fields(b.run("/", nil, "ldd", p)) {
			if real, err := filepath.EvalSymlinks(f); err == nil && strings.HasPrefix(real, "/usr/") {
				files[real] = true
			}
		}
	}
	for _, d := range []string{"webkitgtk-6.0", "webkit2gtk-4.1"} {
		ps, _ := filepath.Glob("/usr/lib/*/" + d + "/WebKit*Process")
		for _, p := range ps {
			files[p] = true
		}
	}
	if b.err != nil {
		return b.err
	}
	if err := os.Mkdir(b.path("own"), 0o755); err != nil {
		return err
	}
	for f := range files {
		own := b.path("own", strings.ReplaceAll(f, "/", "%"))
		if err := copyFile(own, f); err != nil {
			return err
		}
		if err := unix.Mount(own, f, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("%s: %w", f, err)
		}
	}
	return nil
}
