package dataset

import (
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"testing"
	"time"
)

func TestZZ(t *testing.T) {
	dir := os.Getenv("ZZ")
	if dir == "" {
		t.Skip()
	}
	begin := time.Now()
	mem := func(what string) {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		before := m.HeapAlloc
		runtime.GC()
		runtime.ReadMemStats(&m)
		s, _ := os.ReadFile("/proc/self/status")
		var hwm, rss string
		for _, l := range splitLines(string(s)) {
			if len(l) > 6 && l[:6] == "VmHWM:" {
				hwm = l
			}
			if len(l) > 6 && l[:6] == "VmRSS:" {
				rss = l
			}
		}
		fmt.Println(what, time.Since(begin).Round(time.Second), "heap", before>>20, "live", m.HeapAlloc>>20, hwm, rss)
		f, _ := os.Create("/tmp/h/rd/" + what + ".heap")
		pprof.WriteHeapProfile(f)
		f.Close()
	}
	c := Default()
	c.Files = []string{dir}
	table, report, err := Load(c, Source{Scratch: "/tmp/h/rd/cache"})
	if err != nil {
		t.Fatal(err)
	}
	mem("load")
	v, err := Clean(table.View(), c.Clean, report)
	if err != nil {
		t.Fatal(err)
	}
	mem("clean")
	p, err := Split(v, c.Split, Source{}, report)
	if err != nil {
		t.Fatal(err)
	}
	mem("split")
	fmt.Println(p.Train.Len(), p.Val.Len(), p.Test.Len())
}

func splitLines(s string) []string {
	var out []string
	for len(s) > 0 {
		i := 0
		for i < len(s) && s[i] != '\n' {
			i++
		}
		out = append(out, s[:i])
		if i < len(s) {
			i++
		}
		s = s[i:]
	}
	return out
}
