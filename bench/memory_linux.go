package main

import (
	"os"
	"syscall"
)

// peakMemory is the largest resident memory of a process that ended, in bytes.
func peakMemory(s *os.ProcessState) int64 {
	if u, ok := s.SysUsage().(*syscall.Rusage); ok {
		return u.Maxrss << 10
	}
	return 0
}
