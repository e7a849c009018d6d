//go:build linux && amd64

// Command _amx runs a program as if the CPU had AMX, so that the kernels for it can be tested without one:
//
//	go test -tags amxemu -c -o kernels.test ./internal/kernels
//	FT_CPU=amx go run ./internal/kernels/_amx kernels.test -test.short
//
// It traces the program with all its threads and children (ptrace(2)). A tile instruction is illegal for the CPU and
// stops the thread; _amx does it on tiles of its own, and then, to save stops, all instructions that follow, as long as
// they are tile instructions or plain arithmetic and jumps between registers. Every other signal and the exit code pass
// through. The program learns of its luck from FT_AMX_EMULATED=1; it must be built with the tag amxemu to believe it.
//
// An instruction that real tiles would refuse (not configured on this thread, sizes that do not fit, memory that is not
// there) is told on stderr and reaches the program as the signal that the system would send.
//
// A product takes about three microseconds instead of five nanoseconds, and one thread does those of all threads.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
)

func main() {
	stats := flag.Bool("stats", false, "tell on stderr what was emulated")
	single := flag.Bool("single", false, "emulate one instruction a stop")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: _amx [-stats] [-single] command [args]")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() == 0 {
		flag.Usage()
		os.Exit(2)
	}
	runtime.LockOSThread() // a tracer is a thread, not a process
	t := tracer{single: *single, threads: map[int]*thread{}}
	code, err := t.run(flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, "_amx:", err)
		code = 125
	}
	if *stats {
		fmt.Fprintln(os.Stderr, "_amx:", t.counts)
	}
	os.Exit(code)
}
