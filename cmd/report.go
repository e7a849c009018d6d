package cmd

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"ft/dataset"
)

// dropped says how many rows were left out and why, in one line.
func dropped(r *dataset.Report) string {
	var parts []string
	for _, reason := range slices.Sorted(maps.Keys(r.Dropped)) {
		parts = append(parts, fmt.Sprintf("%s %d", reason, r.Dropped[reason]))
	}
	if len(parts) == 0 {
		return "none left out"
	}
	return "left out: " + strings.Join(parts, ", ")
}

// notes are the report's remarks on rows that are used all the same, one line each.
func notes(r *dataset.Report) []string {
	var lines []string
	for _, reason := range slices.Sorted(maps.Keys(r.Notes)) {
		at := r.IDs[reason]
		some := strings.Join(at[:min(3, len(at))], ", ")
		if len(at) > 3 {
			some += ", …"
		}
		if some != "" {
			some = " (" + some + ")"
		}
		lines = append(lines, fmt.Sprintf("%s: %d%s", reason, r.Notes[reason], some))
	}
	return lines
}
