//go:build !linux

package run

// Memory is zeros: it is known on Linux alone.
func Memory() (peak, anonymous int64) { return 0, 0 }

// AvailableMemory is 0: it is known on Linux alone.
func AvailableMemory() int64 { return 0 }
