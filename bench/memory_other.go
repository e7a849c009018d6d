//go:build !linux

package main

import "os"

// peakMemory is 0: it is taken on Linux alone.
func peakMemory(*os.ProcessState) int64 { return 0 }
