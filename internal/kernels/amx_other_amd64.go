//go:build !linux && !purego

package kernels

// amxUsable: only Linux is known to save tiles and to say so.
func amxUsable() (ok bool, why string) { return false, "" }
