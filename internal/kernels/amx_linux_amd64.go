//go:build !purego

package kernels

import (
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/cpu"
	"golang.org/x/sys/unix"
)

// Linux lets a process use tiles only after it has asked (Documentation/arch/x86/xstate.rst). The answer holds for all
// of its threads and is lost at exec.
const (
	archGetXcompPerm = 0x1022
	archReqXcompPerm = 0x1023
	xfeatureTileData = 18
	tileState        = 1<<17 | 1<<xfeatureTileData // tile configuration and data in XCR0
)

// amxUsable reports whether tiles and the conversions to bfloat16 work here, after asking the system for the tiles.
// why is the reason if not, "" on a CPU without AMX.
func amxUsable() (ok bool, why string) {
	if amxEmulation && os.Getenv("FT_AMX_EMULATED") == "1" {
		return cpu.X86.HasAVX512BF16, ""
	}
	if !cpu.X86.HasAMXTile || !cpu.X86.HasAMXBF16 {
		return false, ""
	}
	if !cpu.X86.HasAVX512BF16 {
		return false, "no AVX512_BF16 beside it"
	}
	if !cpu.X86.HasOSXSAVE || xcr0()&tileState != tileState {
		return false, "the system does not save tiles (Linux does from 5.16 on)"
	}
	// Signal frames grow by 8 KB. The kernel refuses if a thread's signal stack is too small; Go's have 32 KB.
	if _, _, errno := unix.RawSyscall(unix.SYS_ARCH_PRCTL, archReqXcompPerm, xfeatureTileData, 0); errno != 0 {
		return false, tileRefusal(errno)
	}
	// A sandbox may answer yes and do nothing; the first tile would then end the process.
	var granted uint64
	if _, _, errno := unix.RawSyscall(unix.SYS_ARCH_PRCTL, archGetXcompPerm, uintptr(unsafe.Pointer(&granted)), 0); errno != 0 {
		return false, tileRefusal(errno)
	}
	if granted&(1<<xfeatureTileData) == 0 {
		return false, "the system says yes to tiles but does not grant them"
	}
	return true, ""
}

// tileRefusal words the kernel's answer to the request for tiles.
func tileRefusal(errno syscall.Errno) string {
	switch errno {
	case unix.ENOSPC:
		return "a signal stack is too small for tiles (ENOSPC)"
	case unix.EINVAL, unix.EOPNOTSUPP:
		return "the system has no tiles (" + unix.ErrnoName(errno) + ")"
	}
	return "the system refuses tiles (" + unix.ErrnoName(errno) + ")"
}
