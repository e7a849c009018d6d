package kernels

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// maxThreads bounds the helpers: more than that many cores are not used.
const maxThreads = 256

// pool is the package's set of workers: the caller of Parallel and helpers that sleep until woken. A wake-up
// carries no job; a helper takes the current one, so wake-ups left over from finished jobs are not lost on
// it, and a full channel means that enough of them are on their way.
var pool = struct {
	threads atomic.Int32
	running sync.Mutex // held by the one Parallel that may use the helpers
	helpers int        // started so far; guarded by running
	current atomic.Pointer[job]
	wake    chan struct{}
}{wake: make(chan struct{}, maxThreads)}

func init() { SetThreads(0) }

// SetThreads sets how many threads Parallel and the products use; 0 is all CPUs available to the process
// (GOMAXPROCS). Results do not depend on it. It is not meant to change while work is under way.
func SetThreads(n int) {
	if n <= 0 {
		n = runtime.GOMAXPROCS(0)
	}
	pool.threads.Store(int32(min(n, maxThreads)))
}

// Threads is the number of threads in use.
func Threads() int { return int(pool.threads.Load()) }

// job is one call of Parallel. Workers take task numbers from next; the call is over when all tasks are
// finished, not when all workers have come by, so a helper that the system has not scheduled holds up nobody.
type job struct {
	t          Task
	n          int64
	seats      atomic.Int32 // helpers that may still join
	next, done atomic.Int64
	over       chan struct{}
	panicked   atomic.Pointer[any] // what the first task that panicked said
}

// work runs tasks until none is left.
func (j *job) work() {
	for {
		i := j.next.Add(1) - 1
		if i >= j.n {
			return
		}
		j.run(int(i))
		if j.done.Add(1) == j.n {
			close(j.over)
		}
	}
}

// run does one task. A panic must not end a helper, and with it the process: it is kept for the caller of Parallel.
func (j *job) run(i int) {
	defer func() {
		if r := recover(); r != nil {
			said := r // a copy, so that r itself need not live on the heap
			j.panicked.CompareAndSwap(nil, &said)
		}
	}()
	j.t.Task(i)
}

// Parallel runs f(0) to f(n-1), each once, on up to Threads threads and returns when all are done. Tasks
// are handed out in order, one by one. A call from inside a task, or while another goroutine's call is
// under way, runs its tasks serially. If a task panics, the others still run, and Parallel panics with the first
// one's value.
func Parallel(n int, f func(i int)) { ParallelTasks(n, taskFunc(f)) }

// Task is a piece of work by number.
type Task interface{ Task(i int) }

type taskFunc func(i int)

func (f taskFunc) Task(i int) { f(i) }

// ParallelTasks is Parallel for a value that does the tasks.
func ParallelTasks(n int, t Task) {
	threads := min(Threads(), n)
	if threads <= 1 || !pool.running.TryLock() {
		for i := range n {
			t.Task(i)
		}
		return
	}
	defer pool.running.Unlock()
	j := &job{t: t, n: int64(n), over: make(chan struct{})}
	j.seats.Store(int32(threads - 1))
	pool.current.Store(j)
	defer pool.current.Store(nil)
	for ; pool.helpers < threads-1; pool.helpers++ {
		go help()
	}
	for range threads - 1 {
		select {
		case pool.wake <- struct{}{}:
		default:
		}
	}
	j.work()
	<-j.over
	if r := j.panicked.Load(); r != nil {
		panic(*r)
	}
}

// help serves jobs for the life of the process.
func help() {
	for range pool.wake {
		if j := pool.current.Load(); j != nil && j.seats.Add(-1) >= 0 {
			j.work()
		}
	}
}

// parallelRange runs f over consecutive pieces of [0,n), grain long but for the last: for steps in which
// elements do not touch each other.
func parallelRange(n, grain int, f func(lo, hi int)) {
	if n <= grain || Threads() == 1 {
		f(0, n)
		return
	}
	Parallel((n+grain-1)/grain, func(i int) { f(i*grain, min(n, (i+1)*grain)) })
}
