//go:build !amxemu && !purego

package kernels

// amxEmulation is off in a program for users: without AMX the first tile would end it.
const amxEmulation = false
