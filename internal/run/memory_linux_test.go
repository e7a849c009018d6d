package run

import (
	"os"
	"path/filepath"
	"testing"
)

func TestAvailableMemory(t *testing.T) {
	meminfo := "MemTotal: 9000 kB\nMemFree: 1 kB\nMemAvailable:   8000 kB\n"
	for name, c := range map[string]struct {
		files map[string]string
		want  int64
	}{
		"nothing told": {nil, 0},
		"no groups":    {map[string]string{"proc/meminfo": meminfo}, 8000 << 10},
		"no limit": {map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "max\n", "sys/fs/cgroup/a/b/memory.current": "5\n",
		}, 8000 << 10},
		"a limit above": {map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "1:x:/\n0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "max\n", "sys/fs/cgroup/a/b/memory.current": "5\n",
			"sys/fs/cgroup/a/memory.max": "1000\n", "sys/fs/cgroup/a/memory.current": "700\n", "sys/fs/cgroup/a/memory.stat": "anon 600\nfile 100\n",
		}, 400},
		"in a container": {map[string]string{
			"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "1000", "sys/fs/cgroup/memory.current": "1200",
		}, 1},
	} {
		root := t.TempDir()
		for file, text := range c.files {
			path := filepath.Join(root, file)
			if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		if got := availableMemory(root); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
	if AvailableMemory() <= 0 {
		t.Error("this machine tells of no free memory")
	}
	if peak, anonymous := Memory(); peak < 1<<20 || anonymous < 1<<20 || anonymous > peak {
		t.Errorf("this process has a peak of %d bytes, %d beside files", peak, anonymous)
	}
}
