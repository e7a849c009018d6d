package profile

import (
	"testing"
	"time"
)

// find is the row of a stage; a zero Row if there is none.
func find(rows []Row, stage string) Row {
	for _, r := range rows {
		if r.Stage == stage {
			return r
		}
	}
	return Row{}
}

func TestRead(t *testing.T) {
	Enable()
	defer Disable()
	s := Start(QKV)
	time.Sleep(10 * time.Millisecond)
	s = s.Then(Attention)
	time.Sleep(5 * time.Millisecond)
	s.Stop()
	outer := Start(Evaluation)
	inner := Start(QKV)
	time.Sleep(20 * time.Millisecond)
	inner.Then(Attention).Stop()
	outer.Stop()
	time.Sleep(5 * time.Millisecond)
	rows := Read()
	share := 0.0
	for _, r := range rows {
		share += r.Share
	}
	if len(rows) != 4 || share < 0.999 || share > 1.001 {
		t.Errorf("rows %+v with shares of %g in all", rows, share)
	}
	for _, c := range []struct {
		stage string
		calls int64
		least float64
	}{{"norm+qkv", 1, 0.010}, {"attention", 1, 0.005}, {"evaluation", 1, 0.020}, {"other", 0, 0.005}} {
		if r := find(rows, c.stage); r.Calls != c.calls || r.Seconds < c.least {
			t.Errorf("%+v, expected %d calls and at least %g s", r, c.calls, c.least)
		}
	}
	// What an outer stage holds is not counted again as an inner one.
	if r := find(rows, "norm+qkv"); r.Seconds >= 0.020+0.010 {
		t.Errorf("%+v counts what the evaluation did", r)
	}
}

func TestEnable_forgets(t *testing.T) {
	Enable()
	Start(MLP).Stop()
	Start(Head) // left open, as by a panic
	Enable()
	defer Disable()
	Start(Head).Stop()
	if rows := Read(); len(rows) != 2 || rows[0].Stage != "head+loss" {
		t.Errorf("rows %+v", rows)
	}
}

func TestStart_off(t *testing.T) {
	Disable()
	s := Start(MLP)
	Enable()
	s.Stop() // of a span that began while off
	Start(QKV).Stop()
	if rows := Read(); len(rows) != 2 || rows[0].Stage != "norm+qkv" {
		t.Errorf("rows %+v", rows)
	}
	Disable()
	if Read() != nil {
		t.Error("rows while off")
	}
	if n := testing.AllocsPerRun(100, func() { Start(MLP).Then(Head).Stop() }); n != 0 {
		t.Errorf("%g allocations", n)
	}
}

func BenchmarkStart_off(b *testing.B) {
	Disable()
	for b.Loop() {
		Start(MLP).Stop()
	}
}
