package task

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ft/internal/testkit"
)

// Every task that people start from loads with all of its rows and opens with the command
// that runs it.
func TestExampleTasks(t *testing.T) {
	t.Chdir(testkit.Root())
	files, _ := filepath.Glob("configs/tasks/*.yaml")
	if len(files) == 0 {
		t.Fatal("no example tasks")
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		first, _, _ := strings.Cut(string(text), "\n")
		if !strings.HasPrefix(first, "# ft eval ") || !strings.HasSuffix(first, "--task "+file) {
			t.Errorf("%s begins with %q, not with the command that runs it", file, first)
		}
		task := prepared(t, file)
		out, err := task.Run(t.Context(), hashed{8192}.model(), func(int) {})
		if err != nil {
			t.Fatal(err)
		}
		if n := len(out.Rows); n < 12 || out.Cut > 0 {
			t.Errorf("%s: %d rows, %d cut", file, n, out.Cut)
		}
		at := map[int]int{}
		for _, r := range out.Rows {
			at[r.Target[0]]++
		}
		if len(at) < 3 {
			t.Errorf("%s: the right choice stands at %v: too easy to guess", file, at)
		}
	}
}
