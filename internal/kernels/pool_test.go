package kernels

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestParallel_eachOnce(t *testing.T) {
	for _, threads := range []int{1, 2, 5} {
		setThreads(t, threads)
		for _, n := range []int{0, 1, 2, 3, 100, 1000} {
			for range 20 {
				seen := make([]int32, n)
				Parallel(n, func(i int) { seen[i]++ })
				for i, s := range seen {
					if s != 1 {
						t.Fatalf("%d threads: task %d of %d ran %d times", threads, i, n, s)
					}
				}
			}
		}
	}
}

func TestParallel_usesHelpers(t *testing.T) {
	setThreads(t, 100)
	for range 50 { // leave wake-ups behind
		Parallel(100, func(int) {})
	}
	setThreads(t, 3)
	for range 50 {
		var here atomic.Int32
		all := make(chan struct{})
		Parallel(3, func(int) { // each task waits for the other two
			if here.Add(1) == 3 {
				close(all)
			}
			select {
			case <-all:
			case <-time.After(20 * time.Second):
				t.Error("fewer than 3 threads at work")
			}
		})
	}
}

func TestParallel_nested(t *testing.T) {
	setThreads(t, 4)
	var n atomic.Int32
	Parallel(8, func(int) { Parallel(8, func(int) { n.Add(1) }) })
	var callers sync.WaitGroup
	for range 8 {
		callers.Go(func() { Parallel(50, func(int) { n.Add(1) }) })
	}
	callers.Wait()
	if n.Load() != 64+400 {
		t.Fatalf("%d tasks ran", n.Load())
	}
}

func TestSetThreads(t *testing.T) {
	setThreads(t, 3)
	if Threads() != 3 {
		t.Fatal(Threads())
	}
	if SetThreads(0); Threads() < 1 {
		t.Fatal(Threads())
	}
}

func BenchmarkParallel(b *testing.B) {
	for b.Loop() {
		Parallel(2, func(int) {})
	}
}

func TestParallel_panic(t *testing.T) {
	defer SetThreads(0)
	for _, threads := range []int{1, 2, 4} {
		SetThreads(threads)
		var ran atomic.Int32
		got := func() (r any) {
			defer func() { r = recover() }()
			Parallel(100, func(i int) {
				ran.Add(1)
				if i == 17 {
					panic("task 17")
				}
			})
			return nil
		}()
		if got != "task 17" {
			t.Errorf("%d threads: Parallel panicked with %v", threads, got)
		}
		Parallel(10, func(int) { ran.Add(1) }) // the pool still works
		if threads > 1 && ran.Load() != 110 {
			t.Errorf("%d threads: %d tasks ran, want 110", threads, ran.Load())
		}
	}
}
