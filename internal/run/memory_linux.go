package run

import (
	"fmt"
	"math"
	"os"
	"path"
	"strconv"
	"strings"
)

// Memory is the process's largest resident memory so far, and its resident memory beside mapped files now, in bytes; zeros
// where the system does not tell.
func Memory() (peak, anonymous int64) {
	hwm, _ := numberAfter("/proc/self/status", "VmHWM:")
	anon, _ := numberAfter("/proc/self/status", "RssAnon:")
	return hwm << 10, anon << 10
}

// AvailableMemory is the memory that the process may still take without pushing others out, in bytes: what the kernel estimates for the machine, or what its
// control groups (version 2) leave if that is less. 0 where the system does not tell.
func AvailableMemory() int64 { return availableMemory("/") }

// availableMemory reads the files below root.
func availableMemory(root string) int64 {
	free := int64(math.MaxInt64)
	if kib, ok := numberAfter(path.Join(root, "proc/meminfo"), "MemAvailable:"); ok {
		free = kib << 10
	}
	group, _ := os.ReadFile(path.Join(root, "proc/self/cgroup"))
	for line := range strings.Lines(string(group)) {
		at, ok := strings.CutPrefix(strings.TrimSpace(line), "0::/")
		for ; ok; at = path.Dir(at) {
			free = min(free, leftInGroup(path.Join(root, "sys/fs/cgroup", at)))
			ok = at != "." && at != ""
		}
	}
	if free == math.MaxInt64 {
		return 0
	}
	return max(free, 1)
}

// leftInGroup is what a control group leaves. Pages of files that it has read count as free.
func leftInGroup(dir string) int64 {
	limit, ok := number(path.Join(dir, "memory.max"))
	used, ok2 := number(path.Join(dir, "memory.current"))
	if !ok || !ok2 {
		return math.MaxInt64
	}
	files, _ := numberAfter(path.Join(dir, "memory.stat"), "file ")
	return max(limit-used+files, 0)
}

// number is the number that a file holds; false for another text, such as max.
func number(file string) (int64, bool) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	return n, err == nil
}

// numberAfter is the number behind a word that begins a line of a file.
func numberAfter(file, word string) (int64, bool) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, word); ok {
			var n int64
			_, err := fmt.Sscan(rest, &n)
			return n, err == nil
		}
	}
	return 0, false
}
