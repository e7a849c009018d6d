package run

import (
	"fmt"
	"os"
	"strings"
)

// Memory is the process's largest resident memory so far, and its resident memory beside mapped files now, in bytes; zeros
// where the system does not tell.
func Memory() (peak, anonymous int64) {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, 0
	}
	for line := range strings.Lines(string(text)) {
		name, rest, _ := strings.Cut(line, ":")
		var kib int64
		switch name {
		case "VmHWM":
			fmt.Sscan(rest, &kib)
			peak = kib << 10
		case "RssAnon":
			fmt.Sscan(rest, &kib)
			anonymous = kib << 10
		}
	}
	return peak, anonymous
}
