package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

// The two sides of a task.
const (
	ours = iota
	theirs
)

// result is what both sides of a task did in all rounds.
type result [2][]figures

// add lets both sides do the task once; the one that begins changes from round to round.
func (r *result) add(t task, o *options) error {
	sides := []int{ours, theirs}
	if len(r[ours])%2 == 1 {
		sides = []int{theirs, ours}
	}
	for _, side := range sides {
		do := t.ours
		if side == theirs {
			do = t.theirs
		}
		f, err := do(o)
		if err != nil {
			return err
		}
		r[side] = append(r[side], f)
	}
	return nil
}

// last is a side's latest rate.
func (r *result) last(side int) float64 { return r[side][len(r[side])-1].rate }

// of is the median of something about a side.
func (r *result) of(side int, what func(figures) float64) float64 {
	values := make([]float64, len(r[side]))
	for i, f := range r[side] {
		values[i] = what(f)
	}
	return median(values)
}

// machine is where and with what it was measured.
type machine struct {
	backend, version, cpu string
	threads               int
	date                  time.Time
}

func machineOf(o *options) (machine, error) {
	out, err := o.runFT("version", "--json")
	if err != nil {
		return machine{}, err
	}
	var v struct{ Version, Commit, Backend string }
	if err := json.Unmarshal(out.stdout, &v); err != nil {
		return machine{}, err
	}
	return machine{v.Backend, strings.TrimSpace(v.Version + " " + v.Commit), processor(), o.threads, time.Now()}, nil
}

// processor is the processor's name.
func processor() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

// table is the section of the page: how it was made, and a row for each task.
func table(chosen []task, results []result, m machine, command string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Made by\n\n    %s\n\n", command)
	fmt.Fprintf(&b, "on %s (%s), %s %s, %d threads; ft %s, backend %s. Medians of %d rounds in turns.\n\n",
		m.date.UTC().Format("2006-01-02"), m.cpu, runtime.GOOS, runtime.GOARCH, m.threads, m.version, m.backend, len(results[0][ours]))
	b.WriteString("| work | ft, tokens/s | peer, tokens/s | ratio | ft, peak memory | peer, peak memory | ft, start | peer, start |\n|---|---|---|---|---|---|---|---|\n")
	for i, t := range chosen {
		r := &results[i]
		rate := func(f figures) float64 { return f.rate }
		peak := func(side int) string {
			return unless0(r.of(side, func(f figures) float64 { return float64(f.peak) })/(1<<30), "%.2f GiB")
		}
		start := func(side int) string {
			return unless0(r.of(side, func(f figures) float64 { return f.start }), "%.2f s")
		}
		fmt.Fprintf(&b, "| %s | %.1f | %.1f | %.2f | %s | %s | %s | %s |\n", t.what, r.of(ours, rate), r.of(theirs, rate),
			r.of(ours, rate)/r.of(theirs, rate), peak(ours), peak(theirs), start(ours), start(theirs))
	}
	return b.String()
}

func unless0(v float64, format string) string {
	if v == 0 {
		return "–"
	}
	return fmt.Sprintf(format, v)
}

// update replaces what stands between a page's marks of a name.
func update(page, name, section string) error {
	text, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	begin, end := "<!-- "+name+": begin -->\n", "<!-- "+name+": end -->\n"
	head, rest, ok := strings.Cut(string(text), begin)
	_, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		return fmt.Errorf("%s has no marks %q and %q", page, strings.TrimSpace(begin), strings.TrimSpace(end))
	}
	return os.WriteFile(page, []byte(head+begin+section+end+tail), 0o666)
}
