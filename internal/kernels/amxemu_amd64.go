//go:build amxemu && !purego

package kernels

// amxEmulation lets FT_AMX_EMULATED=1 promise that something runs the CPU's missing instructions, see _amx.
const amxEmulation = true
