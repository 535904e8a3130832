package main

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"
)

// peer is another program's sandbox around the plain worker.
type peer struct {
	name string
	argv []string
	// ask says its version.
	ask []string
}

func (p peer) version(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, p.ask[0], p.ask[1:]...).Output()
	if err != nil {
		return err.Error()
	}
	first, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	return first
}

// peers are bubblewrap and firejail as tight as they are usually called, and
// sandbox-runtime with its usual settings, as in bench/peers.
func peers(self, granted, db, npm string) []peer {
	runtime := filepath.Join(npm, "node_modules", "@anthropic-ai", "sandbox-runtime")
	return []peer{
		{"bubblewrap", []string{
			"bwrap", "--unshare-user", "--unshare-all", "--disable-userns", "--die-with-parent", "--new-session", "--clearenv", "--cap-drop", "ALL",
			"--ro-bind", self, "/worker", "--ro-bind", granted, "/grant", "--bind", db, "/db", "--chdir", "/", "--remount-ro", "/",
			"/worker", plainName, "/grant", "/db",
		}, []string{"bwrap", "--version"}},
		{"firejail", []string{
			"firejail", "--quiet", "--noprofile", "--caps.drop=all", "--nonewprivs", "--noroot", "--seccomp", "--seccomp.block-secondary", "--memory-deny-write-execute", "--net=none",
			"--protocol=unix", "--ipc-namespace", "--private-dev", "--disable-mnt", "--nodbus", "--nosound", "--no3d", "--nodvd", "--notv", "--nou2f", "--private-etc=none",
			"--private-bin=none", "--rlimit-nofile=256", "--whitelist=" + filepath.Dir(filepath.Dir(self)), "--read-only=" + granted,
			self, plainName, granted, db,
		}, []string{"firejail", "--version"}},
		{"sandbox-runtime", []string{
			"node", filepath.Join(runtime, "dist", "cli.js"), self, plainName, granted, db,
		}, []string{"node", "-p", "require('" + filepath.Join(runtime, "package.json") + "').version"}},
	}
}
