package sandbox

import (
	"bytes"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// ordinaryID is the user that these tests become when they are root.
const ordinaryID = 20001

// TestAsOrdinaryUser runs the other tests again without root's powers, which
// take another way through the start.
func TestAsOrdinaryUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("the other tests run as an ordinary user anyway")
	}
	tmp, err := os.MkdirTemp("", "bailey-sandbox")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(tmp)
	if err := os.Chown(tmp, ordinaryID, ordinaryID); err != nil {
		t.Fatal(err)
	}
	// What reads the source tree, and not the kernel, is the same for everyone.
	cmd := exec.CommandContext(t.Context(), workerPath, "-test.run=^Test", "-test.skip=^Test(SyscallLists|ArchOf|Golden|ForeignFilter)", "-test.timeout=2m")
	cmd.Dir = tmp
	cmd.Env = []string{"TMPDIR=" + tmp}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: ordinaryID, Gid: ordinaryID}}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.Errorf("%v\n%s", err, out.String())
	}
}
