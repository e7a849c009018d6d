package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"ft/internal/run"
	"ft/internal/ui"
)

// origin is how the run was made: by whom, where, from which files.
func (v *view) origin(s *source) {
	v.Config = s.config
	if s.info == nil {
		return
	}
	i := s.info
	add := func(name, format string, args ...any) {
		v.Origin = append(v.Origin, fact{name, ui.EscapeLine(fmt.Sprintf(format, args...))})
	}
	if len(i.Command) > 0 {
		add("command", "%s", strings.Join(i.Command, " "))
	}
	if !i.Started.IsZero() {
		add("started", "%s", i.Started.Format("2006-01-02 15:04:05 -07:00"))
	}
	if !i.Finished.IsZero() {
		add("took", "%s", ui.Duration(i.Finished.Sub(i.Started)))
	}
	for _, name := range slices.Sorted(maps.Keys(i.Times)) {
		add("time, "+ui.EscapeLine(name), "%s", ui.Duration(time.Duration(i.Times[name]*float64(time.Second))))
	}
	m := i.Machine
	add("machine", "%s/%s, %d CPUs, %d threads, kernels %s", m.OS, m.Arch, m.CPUs, m.Threads, m.Backend)
	program := strings.TrimSpace(fmt.Sprintf("ft %s %.12s", i.Build.Version, i.Build.Commit))
	if i.Build.Modified {
		program += " (changed)"
	}
	add("program", "%s, %s", program, i.Build.Go)
	for _, name := range slices.Sorted(maps.Keys(i.Sizes)) {
		text := ui.Count(i.Sizes[name])
		if strings.HasSuffix(name, "_bytes") {
			text = ui.Bytes(i.Sizes[name])
		}
		add(ui.EscapeLine(strings.ReplaceAll(strings.TrimSuffix(name, "_bytes"), "_", " ")), "%s", text)
	}
	for _, name := range slices.Sorted(maps.Keys(i.Seeds)) {
		add("seed, "+ui.EscapeLine(name), "%d", i.Seeds[name])
	}
	v.Inputs = inputs(i.Files)
}

func inputs(files []run.File) *table {
	if len(files) == 0 {
		return nil
	}
	t := &table{Title: "Files that the run read", Head: []string{"file", "size", "SHA-256"}}
	for _, f := range files {
		t.Rows = append(t.Rows, []cell{{Text: ui.EscapeLine(f.Path)}, {Text: ui.Bytes(f.Bytes)}, {Text: ui.EscapeLine(f.SHA256), Class: "hash"}})
	}
	return t
}
