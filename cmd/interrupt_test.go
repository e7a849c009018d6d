//go:build unix

package cmd

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"ft/base"
	"ft/internal/run"
	"ft/peft"
)

// child makes a command that runs ft in a process of its own: this binary is ft when it is called so (see TestMain).
func child(t *testing.T, args ...string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "ft")
	if err := os.Symlink(exe, link); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(link, args...)
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	return c, &out
}

// TestInterrupt stops training in the middle: the step is finished, the adapter saved, the run says so, and it can be used.
func TestInterrupt(t *testing.T) {
	dir, config := tiny(t, 20000)
	r := interrupt(t, dir, config)
	if _, err := peft.Load(r.Path(run.AdapterDir)); err != nil {
		t.Error(err)
	}
}

// TestInterrupt_whole is the same for a method that makes a whole model. The last weights are saved, and the best of an evaluation lie
// beside, unless they are the same.
func TestInterrupt_whole(t *testing.T) {
	dir, config := tiny(t, 20000)
	ofFull(t, config)
	r := interrupt(t, dir, config, "--set", "eval.every=0.2")
	models, _ := filepath.Glob(r.Path(run.ModelDir + "*"))
	if len(models) == 0 || models[0] != r.Path(run.ModelDir) {
		t.Errorf("models %q", models)
	}
	for _, path := range models {
		b, err := base.Open(path, families)
		if err != nil {
			t.Error(err)
			continue
		}
		b.Close()
	}
}

// interrupt starts a training run, stops it and answers with what it left.
func interrupt(t *testing.T, dir, config string, flags ...string) *run.Run {
	t.Helper()
	c, out := child(t, append([]string{"train", "--config", config}, flags...)...)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer c.Process.Kill()
	runs := filepath.Join(dir, "runs")
	waitFor(t, func() bool {
		r, err := run.Open(runs, "")
		if err != nil {
			return false
		}
		log, _ := os.ReadFile(r.Path(run.LogFile))
		return strings.Count(string(log), "\n") > 5
	})
	if err := c.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	c.Wait()
	if code := c.ProcessState.ExitCode(); code != exitInterrupted {
		t.Fatalf("exit code %d\n%s", code, out)
	}
	r, err := run.Open(runs, "")
	if err != nil {
		t.Fatal(err)
	}
	if r.Info.Status != run.Interrupted {
		t.Errorf("the run's status is %s", r.Info.Status)
	}
	ft(t, 0, "generate", "-q", "--adapter", r.Dir, "--prompt", "What is the colour of the fox?")
	return r
}

func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	for range 600 {
		if ok() {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("waited 30 s in vain")
}

// TestFullDisk merges onto a file system that is too small: one clear error, and nothing is left under the output's name.
func TestFullDisk(t *testing.T) {
	dir, config := tiny(t, 1)
	ft(t, 0, "lora", "-q", "--config", config)
	small := filepath.Join(dir, "small")
	if err := os.Mkdir(small, 0o777); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=24k", "tmpfs", small).CombinedOutput(); err != nil {
		t.Skipf("a small tmpfs cannot be mounted here: %s", out)
	}
	defer exec.Command("umount", small).Run()
	for _, out := range []string{"m.gguf", "m-hf"} {
		path := filepath.Join(small, out)
		text := ft(t, 1, "merge", "-q", "--adapter", filepath.Join(dir, "runs", "latest"), "--out", path)
		if !strings.Contains(text, "no space left on device") || !strings.Contains(text, out) {
			t.Errorf("merge onto a full disk says %q", text)
		}
		if left, _ := os.ReadDir(small); len(left) != 0 {
			t.Errorf("merge onto a full disk left %v", left)
		}
	}
	full := strings.Replace(readFile(t, config), filepath.Join(dir, "runs"), small, 1)
	if err := os.WriteFile(config, []byte(full), 0o666); err != nil {
		t.Fatal(err)
	}
	if text := ft(t, 1, "lora", "-q", "--config", config, "--set", "method.rank=16"); !strings.Contains(text, "no space left on device") {
		t.Errorf("training onto a full disk says %q", text)
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
