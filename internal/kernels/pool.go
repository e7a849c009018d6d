package kernels

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// maxThreads bounds the helpers: more than that many cores are not used.
const maxThreads = 256

// spinTime is how long a worker that has nothing to do looks for work before it sleeps. Waking a sleeper costs several
// microseconds, as much as a whole product does while decoding, where one follows the other; the bound keeps the cost to a busy
// neighbour small.
const spinTime = 50 * time.Microsecond

// pool is the package's set of workers: the caller of Parallel, which holds running, and helpers. There is one job at a time, and
// its fields are reused, so that a call allocates nothing.
//
// A claim is one compare-and-swap of state, the job's number and its tasks left in one word: whoever takes a task knows that
// the job is still the same, and the job is not over before that task is finished. A call is over when all tasks are
// finished, not when all workers have come by, so a helper that the system has not scheduled holds up nobody.
var pool = struct {
	threads  atomic.Int32
	running  sync.Mutex
	helpers  []*helper // guarded by running
	state    atomic.Uint64
	tasks    Task // of the job, with n; read between a claim and its end only
	n        int
	open     atomic.Int64        // tasks not finished
	waiting  atomic.Bool         // the caller sleeps until over
	over     chan struct{}       // may hold a wake-up left over from an earlier job
	panicked atomic.Pointer[any] // what the first task that panicked said
}{over: make(chan struct{}, 1)}

// helper is a worker of its own goroutine.
type helper struct {
	asleep atomic.Bool
	wake   chan struct{}
}

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

// Parallel runs f(0) to f(n-1), each once, on up to Threads threads and returns when all are done. Tasks
// are handed out in order, one by one. A call from inside a task, or while another goroutine's call is
// under way, runs its tasks serially. If a task panics, the others still run, and Parallel panics with the first
// one's value.
func Parallel(n int, f func(i int)) { ParallelTasks(n, taskFunc(f)) }

// Task is a piece of work by number.
type Task interface{ Task(i int) }

type taskFunc func(i int)

func (f taskFunc) Task(i int) { f(i) }

// ParallelTasks is Parallel for a value that does the tasks. It allocates nothing.
func ParallelTasks(n int, t Task) {
	threads := min(Threads(), n)
	if threads <= 1 || !pool.running.TryLock() {
		for i := range n {
			t.Task(i)
		}
		return
	}
	defer pool.running.Unlock()
	for i := len(pool.helpers); i < threads-1; i++ {
		h := &helper{wake: make(chan struct{}, 1)}
		pool.helpers = append(pool.helpers, h)
		go h.serve(i)
	}
	pool.tasks, pool.n = t, n
	pool.open.Store(int64(n))
	pool.state.Store((pool.state.Load()>>32+1)<<32 | uint64(n))
	for _, h := range pool.helpers[:threads-1] {
		if h.asleep.CompareAndSwap(true, false) {
			h.wake <- struct{}{}
		}
	}
	work()
	wait()
	pool.tasks = nil
	if r := pool.panicked.Swap(nil); r != nil {
		panic(*r)
	}
}

// work does tasks until none is left.
func work() {
	for {
		s := pool.state.Load()
		left := int(uint32(s))
		if left == 0 {
			return
		}
		if !pool.state.CompareAndSwap(s, s-1) {
			continue
		}
		runTask(pool.n - left)
		if pool.open.Add(-1) == 0 && pool.waiting.CompareAndSwap(true, false) {
			pool.over <- struct{}{}
		}
	}
}

// runTask does one task. A panic must not end a helper, and with it the process: it is kept for the caller of Parallel.
func runTask(i int) {
	defer func() {
		if r := recover(); r != nil {
			said := r // r itself would be allocated for every task
			pool.panicked.CompareAndSwap(nil, &said)
		}
	}()
	pool.tasks.Task(i)
}

// wait returns when all tasks are finished.
func wait() {
	if spin(func() bool { return pool.open.Load() == 0 }) {
		return
	}
	for pool.open.Load() > 0 {
		pool.waiting.Store(true)
		if pool.open.Load() == 0 && pool.waiting.CompareAndSwap(true, false) {
			return
		}
		<-pool.over
	}
}

// spin looks for a condition for spinTime and reports whether it came true.
func spin(ready func() bool) bool {
	for i := 0; i < 64; i++ {
		if ready() {
			return true
		}
	}
	for begun := time.Now(); time.Since(begun) < spinTime; {
		for range 16 {
			if ready() {
				return true
			}
			relax()
		}
	}
	return false
}

// serve does the tasks of jobs that use at least i helpers beside this one, for the life of the process.
func (h *helper) serve(i int) {
	mine := func() bool { return uint32(pool.state.Load()) > 0 && i+1 < Threads() }
	for {
		if spin(mine) {
			work()
			continue
		}
		h.asleep.Store(true)
		if mine() && h.asleep.CompareAndSwap(true, false) {
			continue
		}
		<-h.wake
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
