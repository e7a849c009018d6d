// Package workers shares out tasks that do not depend on each other among all CPUs.
package workers

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// Do does the tasks 0 to n, each once. worker is called once for each CPU and returns what does a task, by its number, so that what a worker
// uses again for one task after the other is its own; it takes grain tasks at a time. After an error no more tasks are begun by
// that worker. Do returns one of the errors.
func Do(n, grain int, worker func() func(i int) error) error {
	var next atomic.Int64
	var wg sync.WaitGroup
	var once sync.Once
	var first error
	for range min(runtime.GOMAXPROCS(0), (n+grain-1)/grain) {
		wg.Go(func() {
			do := worker()
			for {
				hi := int(next.Add(int64(grain)))
				if hi-grain >= n {
					return
				}
				for i := hi - grain; i < min(hi, n); i++ {
					if err := do(i); err != nil {
						once.Do(func() { first = err })
						return
					}
				}
			}
		})
	}
	wg.Wait()
	return first
}

// Each is Do for tasks that use nothing again and cannot fail.
func Each(n, grain int, do func(i int)) {
	Do(n, grain, func() func(int) error { // cannot fail
		return func(i int) error { do(i); return nil }
	})
}
