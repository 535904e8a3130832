package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// sandbox is one way to put a program into one.
type sandbox struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	// Command has the places of the scene, see test/hostile/attacker.
	Command []string          `json:"command"`
	Files   map[string]string `json:"files,omitempty"`
	// Grant and Data are where the directories stand inside, if elsewhere.
	Grant   string `json:"grant,omitempty"`
	Data    string `json:"data,omitempty"`
	missing string
}

// runtimePackage is sandbox-runtime, by what npm calls it.
const runtimePackage = "@anthropic-ai/sandbox-runtime@0.0.83"

// cli is its program, below npm's directory.
const cli = "/node_modules/@anthropic-ai/sandbox-runtime/dist/cli.js"

// sandboxes lists all, the control first.
func sandboxes(ctx context.Context, o options, work string, who person) ([]sandbox, error) {
	all := []sandbox{{Name: "none", Command: []string{"{attacker}"}}}
	bwrap, missing := program(ctx, "bwrap", "--version")
	// As the demonstration script of its own source calls it, which is what most
	// others begin with; the two directories are bound.
	all = append(all, sandbox{Name: "bubblewrap, as its own demo", Version: bwrap, missing: missing, Command: []string{
		"bwrap", "--ro-bind", "/usr", "/usr", "--dir", "/tmp", "--dir", "/var", "--symlink", "../tmp", "var/tmp", "--proc", "/proc", "--dev", "/dev",
		"--ro-bind", "/etc/resolv.conf", "/etc/resolv.conf", "--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64", "--symlink", "usr/bin", "/bin",
		"--symlink", "usr/sbin", "/sbin", "--ro-bind", "/etc/passwd", "/etc/passwd", "--chdir", "/", "--unshare-all", "--share-net", "--die-with-parent",
		"--ro-bind", work + "/attacker", work + "/attacker", "--ro-bind", "{grant}", "{grant}", "--bind", "{data}", "{data}", "{attacker}"}})
	all = append(all, sandbox{Name: "bubblewrap, tight", Version: bwrap, missing: missing, Command: []string{
		"bwrap", "--unshare-all", "--unshare-user", "--disable-userns", "--cap-drop", "ALL", "--new-session", "--die-with-parent", "--clearenv", "--hostname", "sandbox",
		"--ro-bind", work + "/attacker", work + "/attacker", "--ro-bind", "{grant}", "{grant}", "--bind", "{data}", "{data}", "--chdir", "/", "{attacker}"}})
	jail, missing := program(ctx, "firejail", "--version")
	all = append(all, sandbox{Name: "firejail, its default profile", Version: jail, missing: missing, Command: []string{"firejail", "--quiet", "{attacker}"}})
	all = append(all, sandbox{Name: "firejail, hardened", Version: jail, missing: missing, Command: []string{
		"firejail", "--quiet", "--noprofile", "--caps.drop=all", "--nonewprivs", "--noroot", "--seccomp", "--seccomp.block-secondary", "--memory-deny-write-execute", "--net=none", "--protocol=unix",
		"--ipc-namespace", "--private-dev", "--private-tmp", "--disable-mnt", "--nodbus", "--nosound", "--no3d", "--nodvd", "--notv", "--nou2f", "--private-etc=none", "--private-bin=none",
		"--rlimit-nofile=256", "--whitelist=" + work + "/attacker", "--whitelist={grant}", "--whitelist={data}", "--read-only={grant}", "{attacker}"}})
	srt, version, missing := sandboxRuntime(ctx, o.npm)
	settings := func(denied string) map[string]string {
		return map[string]string{"{base}/srt.json": `{"network":{"allowedDomains":[],"deniedDomains":[]},"filesystem":{"denyRead":[` + denied + `],"allowWrite":["{data}"],"denyWrite":[]}}`}
	}
	command := append([]string{}, srt...)
	command = append(command, "--settings", "{base}/srt.json", "{attacker}")
	all = append(all, sandbox{Name: "sandbox-runtime, its usual settings", Version: version, missing: missing, Files: settings(""), Command: command})
	all = append(all, sandbox{Name: "sandbox-runtime, other files denied", Version: version, missing: missing, Files: settings(`"{host}","~/.ssh"`), Command: command})
	bailey, err := filepath.Abs(filepath.Join(o.bin, "bailey"))
	if err != nil {
		return nil, err
	}
	own, missing := program(ctx, bailey, "version")
	for _, k := range []struct {
		kind    string
		allowed []string
		data    string
	}{{"index", []string{"--allow-read", "{grant}"}, "/db"}, {"tool", []string{"--allow-read", "{grant}", "--allow-write", "{data}"}, "/grant2"}} {
		all = append(all, sandbox{Name: "bailey sandbox run --kind " + k.kind, Version: own, missing: missing, Grant: "/grant", Data: k.data, Command: append(append(
			[]string{bailey, "sandbox", "run", "--home", work + "/home", "--kind", k.kind}, k.allowed...), "--", "{attacker}")})
	}
	return all, nil
}

// program says what version of one is installed, or that it is missing.
func program(ctx context.Context, argv ...string) (string, string) {
	if _, err := exec.LookPath(argv[0]); err != nil {
		return "", argv[0] + " is not installed"
	}
	v, err := version(ctx, argv...)
	if err != nil {
		return "", fmt.Sprintf("%s: %v", argv[0], err)
	}
	return v, ""
}

// sandboxRuntime installs it for this run alone, at one version.
func sandboxRuntime(ctx context.Context, dir string) (argv []string, version, missing string) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, "", err.Error()
	}
	entry := dir + cli
	if _, err := os.Stat(entry); err != nil {
		cmd := exec.CommandContext(ctx, "npm", "install", "--prefix", dir, "--ignore-scripts", "--no-audit", "--no-fund", runtimePackage)
		if out, err := cmd.CombinedOutput(); err != nil {
			return nil, "", fmt.Sprintf("npm: %v: %s", err, out)
		}
	}
	return []string{"node", entry}, runtimePackage, ""
}
