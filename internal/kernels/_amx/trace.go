//go:build linux && amd64

package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// tracer runs one command. All its methods run on one thread of the system.
type tracer struct {
	threads map[int]*thread
	single  bool // one instruction a stop
	counts  counts
}

// counts is what was done for the command.
type counts struct {
	stops, traps, tile, plain int
	busy, whole               time.Duration // emulating, and from start to end
}

func (c counts) String() string {
	return fmt.Sprintf("%d stops, %d of them illegal instructions; emulated %d tile and %d plain instructions; emulating %v of %v",
		c.stops, c.traps, c.tile, c.plain, c.busy.Round(time.Millisecond), c.whole.Round(time.Millisecond))
}

const traceOptions = unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_TRACEFORK | unix.PTRACE_O_TRACEVFORK | unix.PTRACE_O_TRACEEXEC | unix.PTRACE_O_EXITKILL

// run runs the command and returns its exit code, 128 + n if signal n ended it.
func (t *tracer) run(args []string) (int, error) {
	start := time.Now()
	defer func() { t.counts.whole = time.Since(start) }()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), "FT_AMX_EMULATED=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	pass(cmd.Process)
	root := cmd.Process.Pid
	var status unix.WaitStatus
	if _, err := wait(root, &status); err != nil {
		return 0, err
	}
	if !status.Stopped() {
		return 0, fmt.Errorf("%s did not stop at its start", args[0])
	}
	if err := unix.PtraceSetOptions(root, traceOptions); err != nil {
		return 0, fmt.Errorf("ptrace options: %w", err)
	}
	t.threads[root] = newThread(root, false)
	err := unix.PtraceCont(root, 0)
	for err == nil {
		var tid int
		if tid, err = wait(-1, &status); err != nil {
			break
		}
		if status.Stopped() {
			err = t.stopped(tid, status)
			continue
		}
		delete(t.threads, tid)
		switch {
		case tid != root:
		case status.Signaled():
			return 128 + int(status.Signal()), nil
		default:
			return status.ExitStatus(), nil
		}
	}
	return 0, err
}

// pass keeps a signal to stop the command from stopping its tracer first: the terminal sends it to both, kill only here.
func pass(p *os.Process) {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM)
	go func() {
		for s := range signals {
			if s == unix.SIGTERM {
				_ = p.Signal(s) // it may have ended
			}
		}
	}()
}

// wait is wait4 for a traced thread, or for any if tid is -1.
func wait(tid int, status *unix.WaitStatus) (int, error) {
	for {
		got, err := unix.Wait4(tid, status, unix.WALL, nil)
		if err != unix.EINTR {
			return got, err
		}
	}
}

// stopped looks at why a thread stopped and lets it go on.
func (t *tracer) stopped(tid int, status unix.WaitStatus) error {
	t.counts.stops++
	th := t.threads[tid]
	if th == nil {
		th = newThread(tid, true)
		t.threads[tid] = th
	}
	deliver := status.StopSignal()
	switch {
	case deliver == unix.SIGSTOP && th.fresh:
		th.fresh, deliver = false, 0
	case deliver == unix.SIGTRAP && status.TrapCause() > 0:
		if status.TrapCause() == unix.PTRACE_EVENT_EXEC {
			t.threads[tid] = newThread(tid, false)
		}
		deliver = 0
	case deliver == unix.SIGILL:
		var err error
		if deliver, err = t.illegal(th); err != nil && err != unix.ESRCH {
			return err
		}
	}
	if err := unix.PtraceCont(tid, int(deliver)); err != nil && err != unix.ESRCH { // ESRCH: killed meanwhile
		return fmt.Errorf("ptrace cont: %w", err)
	}
	return nil
}

// illegal emulates from the instruction that the CPU refused, and returns the signal to deliver, if any.
func (t *tracer) illegal(th *thread) (syscall.Signal, error) {
	start := time.Now()
	defer func() { t.counts.busy += time.Since(start) }()
	t.counts.traps++
	if err := unix.PtraceGetRegs(th.tid, &th.regs); err != nil {
		return unix.SIGILL, err
	}
	begin := th.regs.Rip
	fault := th.emulate(t.single, &t.counts)
	if th.regs.Rip != begin {
		if err := unix.PtraceSetRegs(th.tid, &th.regs); err != nil {
			return unix.SIGILL, err
		}
	}
	if fault == nil {
		return 0, nil
	}
	if fault.why != "" {
		fmt.Fprintf(os.Stderr, "_amx: thread %d at %#x: %s\n", th.tid, th.regs.Rip, fault.why)
	}
	return fault.signal, nil
}
