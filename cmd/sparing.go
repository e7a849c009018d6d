package cmd

import "runtime/debug"

// rowMemory is how much memory Go takes, if it can, while rows are prepared: enough for what is kept of a million of them, and with the rest of the
// program less than 400 MiB.
const rowMemory = 288 << 20

// sparing lets Go collect garbage early enough to stay within rowMemory, until the returned function is called. More than that is taken where it is needed.
func sparing() (done func()) {
	before := debug.SetMemoryLimit(-1)
	if before <= rowMemory {
		return func() {}
	}
	debug.SetMemoryLimit(rowMemory)
	return func() { debug.SetMemoryLimit(before) }
}
