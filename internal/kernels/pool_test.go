package kernels

import (
	"runtime"
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

// counts is a job that counts how often each task ran.
type counts []atomic.Int32

func (c counts) Task(i int) { c[i].Add(1) }

// TestParallelTasks_late: short jobs one after the other, so that helpers come late again and again. None may run a task
// of a later job twice, or one of an earlier job.
func TestParallelTasks_late(t *testing.T) {
	rounds := 5000
	if testing.Short() {
		rounds = 1000
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	jobs := [2]Task{make(counts, 8), make(counts, 8)}
	for _, threads := range []int{2, 3, 8} {
		setThreads(t, threads)
		for round := range rounds {
			n := 1 + round%7
			ParallelTasks(n, jobs[round%2])
			for k, job := range jobs {
				for i := range job.(counts) {
					want := int32(0)
					if k == round%2 && i < n {
						want = 1
					}
					if got := job.(counts)[i].Swap(0); got != want {
						t.Fatalf("%d threads, round %d: task %d of %d ran %d times", threads, round, i, n, got)
					}
				}
			}
			if round%500 == 0 {
				runtime.GC()
			}
		}
	}
}

func TestParallelTasks_allocations(t *testing.T) {
	setThreads(t, 4)
	var job Task = make(counts, 8)
	ParallelTasks(8, job) // starts the helpers
	if n := testing.AllocsPerRun(100, func() { ParallelTasks(8, job) }); n != 0 {
		t.Errorf("%v allocations a job", n)
	}
}
