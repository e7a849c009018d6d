package cmd

import (
	"os/exec"
	"syscall"
)

// passOn gives a child a process group of its own, so that Ctrl-C in a terminal reaches it once, from this process, by the returned function. It
// does not outlive this process.
func passOn(cmd *exec.Cmd) func() error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	return func() error { return cmd.Process.Signal(syscall.SIGINT) }
}
