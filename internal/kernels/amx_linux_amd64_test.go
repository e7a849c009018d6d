//go:build !purego

package kernels

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/cpu"
	"golang.org/x/sys/unix"
)

// TestAMXUsable: the answer fits what the system tells of the CPU, and a refusal has a reason.
func TestAMXUsable(t *testing.T) {
	ok, why := amxUsable()
	if ok && why != "" {
		t.Errorf("usable, but %q", why)
	}
	if ok != hasAMX {
		t.Errorf("usable %v, at start %v", ok, hasAMX)
	}
	claims := cpu.X86.HasAMXTile && cpu.X86.HasAMXBF16
	switch info, err := os.ReadFile("/proc/cpuinfo"); {
	case amxEmulation && os.Getenv("FT_AMX_EMULATED") == "1":
		if !ok {
			t.Error("emulated, but not usable")
		}
	case !claims:
		if ok || why != "" || Notice() != "" {
			t.Errorf("a CPU without AMX is usable (%v) or worth a word: %q, %q", ok, why, Notice())
		}
	case err == nil && !strings.Contains(string(info), " amx_tile"):
		if ok {
			t.Error("usable, but the kernel does not list it")
		}
	case !ok && (why == "" || !strings.HasSuffix(Notice(), why)):
		t.Errorf("refused for %q, the notice is %q", why, Notice())
	}
}

func TestTileRefusal(t *testing.T) {
	for errno, want := range map[syscall.Errno]string{
		unix.EINVAL:     "the system has no tiles (EINVAL)",
		unix.EOPNOTSUPP: "the system has no tiles (ENOTSUP)",
		unix.ENOSPC:     "a signal stack is too small for tiles (ENOSPC)",
		unix.EPERM:      "the system refuses tiles (EPERM)",
		unix.ENOSYS:     "the system refuses tiles (ENOSYS)",
	} {
		if got := tileRefusal(errno); got != want {
			t.Errorf("%v: %q, want %q", errno, got, want)
		}
	}
}
