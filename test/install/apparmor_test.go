package install

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestAppArmorProfile: the profile is installed with the paths of the prefix, and
// goes with what it is for. One of somebody else's prefix stays.
func TestAppArmorProfile(t *testing.T) {
	dir, prefix := t.TempDir(), filepath.Join(t.TempDir(), "prefix")
	args := []string{"APPARMOR=" + dir, "PREFIX=" + prefix}
	cmd := exec.Command("make", append([]string{"apparmor"}, args...)...)
	cmd.Dir = "../.."
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "no AppArmor 4") {
		t.Errorf("installed where there is no AppArmor: %v\n%s", err, out)
	}
	if err := os.MkdirAll(dir+"/abi", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/abi/4.0", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	run(t, "make", append([]string{"apparmor"}, args...)...)
	b, err := os.ReadFile(dir + "/bailey")
	if err != nil {
		t.Fatal(err)
	}
	if want := "profile bailey " + prefix + "/libexec/bailey/bailey-{core,worker,window,prompt} flags=(unconfined) {"; !strings.Contains(string(b), want) || !strings.Contains(string(b), "\n  userns,\n") {
		t.Errorf("%s", b)
	}
	run(t, "make", "uninstall", "APPARMOR="+dir, "PREFIX="+prefix+"2")
	if _, err := os.Stat(dir + "/bailey"); err != nil {
		t.Error("another prefix took it away")
	}
	run(t, "make", append([]string{"uninstall"}, args...)...)
	if _, err := os.Stat(dir + "/bailey"); err == nil {
		t.Error("it is left behind")
	}
}

// TestAppArmorParses has the parser read the profile, where there is one that knows
// the rule: from AppArmor 4 on.
func TestAppArmorParses(t *testing.T) {
	parser, err := exec.LookPath("apparmor_parser")
	if err != nil {
		t.Skip("no apparmor_parser is installed")
	}
	out, err := exec.Command(parser, "--version").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "version 4") && !strings.Contains(string(out), "version 5") {
		t.Skipf("this parser does not know user namespaces: %s", out)
	}
	run(t, parser, "-Q", "-K", "packaging/apparmor/bailey")
}
