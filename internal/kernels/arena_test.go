package kernels

import (
	"testing"
	"unsafe"
)

func TestArena_reuse(t *testing.T) {
	a := NewArena()
	step := func() {
		a.Reset()
		outer := a.Floats(1000)
		outer[999] = 7
		m := a.Mark()
		for _, n := range []int{0, 1, 17, 3 << 20, 5} {
			f := a.Floats(n)
			if n > 0 && uintptr(unsafe.Pointer(&f[0]))%64 != 0 {
				t.Fatalf("%d values are not aligned", n)
			}
			if len(f) != n || cap(f) != n {
				t.Fatalf("asked for %d, got %d of %d", n, len(f), cap(f))
			}
			for i := range f {
				f[i] = 1
			}
		}
		a.Release(m)
		for _, v := range a.FloatsZero(100) {
			if v != 0 {
				t.Fatal("not zero")
			}
		}
		if outer[999] != 7 {
			t.Fatal("a buffer was handed out twice")
		}
	}
	step()
	if n := testing.AllocsPerRun(5, step); n != 0 {
		t.Errorf("%v allocations a step after the first", n)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	step()
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestArena_distinct(t *testing.T) {
	a := NewArena()
	defer a.Close()
	var all [][]float32
	for i := range 40 {
		f := a.Floats(100_003)
		for j := range f {
			f[j] = float32(i)
		}
		all = append(all, f)
	}
	for i, f := range all {
		for _, v := range f {
			if v != float32(i) {
				t.Fatalf("buffer %d holds %v", i, v)
			}
		}
	}
}

func TestArena_staleMark(t *testing.T) {
	a := NewArena()
	defer a.Close()
	m := a.Mark()
	a.Floats(10)
	stale := a.Mark()
	a.Release(m)
	defer func() {
		if recover() == nil {
			t.Error("a stale mark was accepted")
		}
	}()
	a.Release(stale)
}
