//go:build unix

package cmd

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"ft/eval"
	"ft/internal/run"
)

// evaluated are the files that an evaluation leaves in a run.
var evaluated = []string{basePredictionsFile, run.PredictionsFile, run.MetricsFile}

// finished trains a run whose answers are drawn, two to a row, and returns it with what its evaluation left.
func finished(t *testing.T) (r *run.Run, whole map[string]string) {
	t.Helper()
	dir, config := tiny(t, 2)
	ft(t, 0, "lora", "-q", "--config", config, "--set", "eval.decoding.temperature=0.9", "--set", "eval.decoding.samples=2", "--set", "eval.bootstrap=100")
	r, err := run.Open(filepath.Join(dir, "runs"), "")
	if err != nil {
		t.Fatal(err)
	}
	return r, filesOf(t, r, "")
}

func filesOf(t *testing.T, r *run.Run, prefix string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, name := range evaluated {
		out[name] = readFile(t, r.Path(prefix+name))
	}
	return out
}

func same(t *testing.T, what string, got, want map[string]string) {
	t.Helper()
	for name, text := range want {
		if got[name] != text {
			t.Errorf("%s: %s is\n%s\nwant\n%s", what, name, got[name], text)
		}
	}
}

// TestEval_goesOn: wherever an evaluation ends, the next one leaves the files of one that was not interrupted, byte for byte. Answers that
// are there are not generated again, whatever their order; a torn row is dropped.
func TestEval_goesOn(t *testing.T) {
	r, whole := finished(t)
	put := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(r.Path(name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	base, tuned := whole[basePredictionsFile], whole[run.PredictionsFile]
	lines := strings.SplitAfter(strings.TrimSuffix(tuned, "\n"), "\n")
	lines[len(lines)-1] += "\n"
	slices.Reverse(lines)
	turned := strings.Join(lines, "")
	for name, left := range map[string][2]string{
		"before the first answer":  {"", ""},
		"in the base's first row":  {base[:7], ""},
		"in the base's answers":    {base[:len(base)/3], ""},
		"behind a row":             {base[:strings.Index(base, "\n")+1], ""},
		"before the tuned model's": {base, ""},
		"in the tuned model's":     {base, tuned[:len(tuned)/2]},
		"in the last row":          {base, tuned[:len(tuned)-1]},
		"before the order":         {base, turned},
		"in another order":         {base, turned[:len(turned)/3]},
		"before the scores":        {base, tuned},
	} {
		put(basePredictionsFile, left[0])
		put(run.PredictionsFile, left[1])
		if err := os.Remove(r.Path(run.MetricsFile)); err != nil {
			t.Fatal(err)
		}
		ft(t, 0, "eval", "-q", r.Dir)
		same(t, name, filesOf(t, r, ""), whole)
	}
	mark := strings.Replace(tuned, `"prediction":"`, `"prediction":"MARK `, 1)
	if mark == tuned {
		t.Fatal("no answer to mark")
	}
	put(run.PredictionsFile, mark[:len(mark)/2])
	ft(t, 0, "eval", "-q", r.Dir)
	if got := readFile(t, r.Path(run.PredictionsFile)); got != mark {
		t.Errorf("an answer that was there was generated again:\n%s", got)
	}
	ft(t, 0, "eval", "-q", r.Dir, "--again")
	same(t, "again", filesOf(t, r, ""), whole)
	put(run.PredictionsFile, "{\"id\": \n"+tuned)
	if text := ft(t, 1, "eval", "-q", r.Dir); !strings.Contains(text, run.PredictionsFile+":1: not a row of answers") {
		t.Errorf("a damaged file: %s", text)
	}
}

// TestEval_others: answers of another model or under other settings are not used, and other settings have a folder of their own. Some rows
// add to the answers that are there and change no scores.
func TestEval_others(t *testing.T) {
	r, whole := finished(t)
	one := []string{"eval", "-q", r.Dir, "--json", "--samples", "1"}
	var greedy, sampled eval.Result
	for into, flags := range map[*eval.Result][]string{&greedy: {"--temperature", "0"}, &sampled: {"--temperature", "0.4", "--top-k", "9", "--stop", "e"}} {
		if err := json.Unmarshal([]byte(ft(t, 0, append(slices.Clone(one), flags...)...)), into); err != nil {
			t.Fatal(err)
		}
	}
	same(t, "other settings", filesOf(t, r, ""), whole)
	if d := sampled.Decoding; d == nil || d.Temperature != 0.4 || d.TopK != 9 || d.Samples != 1 || d.MaxNewTokens != 24 || !slices.Equal(d.Stop, []string{"e"}) {
		t.Errorf("decoding %+v", d)
	}
	if d := greedy.Decoding; d == nil || d.Temperature != 0 || greedy.Base.Decoding == nil {
		t.Errorf("decoding %+v", d)
	}
	folders, _ := filepath.Glob(r.Path("evaluations/*/" + run.MetricsFile))
	if len(folders) != 2 {
		t.Errorf("folders %q", folders)
	}
	for _, f := range folders {
		text := readFile(t, filepath.Join(filepath.Dir(f), run.PredictionsFile))
		if strings.Contains(text, `"sample"`) || strings.Contains(text, `"decoding"`) == strings.Contains(readFile(t, f), `"temperature": 0,`) {
			t.Errorf("rows without samples, and with what is not the default: %s", text)
		}
	}
	for _, want := range []string{`"sample":0,"decoding":{"temperature":0.9,`, `"sample":1,"decoding":{`} {
		if !strings.Contains(whole[run.PredictionsFile], want) {
			t.Errorf("no %s in\n%s", want, whole[run.PredictionsFile])
		}
	}

	if err := os.Remove(r.Path(run.PredictionsFile)); err != nil {
		t.Fatal(err)
	}
	ft(t, 0, "eval", "-q", r.Dir, "--limit", "1")
	few := readFile(t, r.Path(run.PredictionsFile))
	if n := strings.Count(few, "\n"); n != 2 || readFile(t, r.Path(run.MetricsFile)) != whole[run.MetricsFile] {
		t.Errorf("%d answers kept of one row: %s", n, few)
	}
	ft(t, 0, "eval", "-q", r.Dir)
	same(t, "after some", filesOf(t, r, ""), whole)

	config := strings.Replace(readFile(t, r.Path(run.ConfigFile)), "\n  system: \"\"", "\n  system: Answer in one word.", 1)
	if err := os.WriteFile(r.Path(run.ConfigFile), []byte(config), 0o666); err != nil {
		t.Fatal(err)
	}
	ft(t, 0, "eval", "-q", r.Dir)
	if got := readFile(t, r.Path(basePredictionsFile)); got == whole[basePredictionsFile] {
		t.Error("with another system text the answers are the same")
	}
	for want, flags := range map[string][]string{
		"--top-k: does nothing at temperature 0":  {"--temperature", "0", "--top-k", "3"},
		"--repetition-penalty: must be above 0":   {"--repetition-penalty", "-1"},
		"--predictions scores answers that are":   {"--predictions", "x.jsonl", "--temperature", "1"},
		"--samples: all 3 would be the same at":   {"--temperature", "0", "--samples", "3"},
		"--stop[0]: is empty, which would end ev": {"--stop", ""},
	} {
		args := append([]string{"eval", "-q"}, flags...)
		if flags[0] != "--predictions" {
			args = append(args, r.Dir)
		}
		if text := ft(t, 2, args...); !strings.Contains(text, want) {
			t.Errorf("%v: %s", flags, text)
		}
	}
}

// TestEval_killed cuts an evaluation in a process of its own, by Ctrl-C and by kill -9, and goes on.
func TestEval_killed(t *testing.T) {
	r, _ := finished(t)
	flags := []string{"eval", r.Dir, "--samples", "60", "--temperature", "1.3", "--seed", "5"}
	ft(t, 0, flags...)
	metrics, err := filepath.Glob(r.Path("evaluations/*/" + run.MetricsFile))
	if err != nil || len(metrics) != 1 {
		t.Fatal(metrics, err)
	}
	folder := filepath.Dir(metrics[0])
	prefix := "evaluations/" + filepath.Base(folder) + "/"
	whole := filesOf(t, r, prefix)
	for _, signal := range []syscall.Signal{syscall.SIGKILL, syscall.SIGINT} {
		for _, name := range []string{basePredictionsFile, run.PredictionsFile} {
			if err := os.RemoveAll(folder); err != nil {
				t.Fatal(err)
			}
			c, out := child(t, flags...)
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			waitRows(t, func() string { return filepath.Join(folder, name) })
			if err := c.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			c.Wait()
			if _, err := os.Stat(metrics[0]); err == nil {
				t.Fatalf("%v came too late: the evaluation had ended\n%s", signal, out)
			}
			if text := out.String(); signal == syscall.SIGINT && (c.ProcessState.ExitCode() != exitInterrupted || !strings.Contains(text, "the same command goes on from there")) {
				t.Errorf("interrupted, it ends with %d\n%s", c.ProcessState.ExitCode(), text)
			}
			if n := strings.Count(readFile(t, filepath.Join(folder, name)), "\n"); n <= 20 {
				t.Errorf("%d answers kept", n)
			}
			ft(t, 0, flags...)
			same(t, signal.String()+" in "+name, filesOf(t, r, prefix), whole)
		}
	}
}

// waitRows waits until a file has more than 20 rows.
func waitRows(t *testing.T, path func() string) {
	t.Helper()
	for begun := time.Now(); time.Since(begun) < time.Minute; time.Sleep(time.Millisecond) {
		if data, _ := os.ReadFile(path()); bytes.Count(data, []byte("\n")) > 20 {
			return
		}
	}
	t.Fatal("waited a minute in vain")
}

// TestTrain_killed kills training while it answers the test part: ft eval goes on, and leaves what training would have left.
func TestTrain_killed(t *testing.T) {
	dir, config := tiny(t, 2)
	runs := filepath.Join(dir, "runs")
	args := []string{"lora", "--config", config, "--set", "eval.decoding.temperature=1.3", "--set", "eval.decoding.samples=60"}
	ft(t, 0, args...)
	r, err := run.Open(runs, "")
	if err != nil {
		t.Fatal(err)
	}
	whole := filesOf(t, r, "")
	if err := os.RemoveAll(runs); err != nil {
		t.Fatal(err)
	}
	c, out := child(t, args...)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	waitRows(t, func() string {
		if r, err = run.Open(runs, ""); err != nil {
			return ""
		}
		return r.Path(basePredictionsFile)
	})
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	c.Wait()
	if _, err := os.Stat(r.Path(run.MetricsFile)); err == nil {
		t.Fatalf("killed too late\n%s", out)
	}
	ft(t, 0, "eval", r.Dir)
	same(t, "killed", filesOf(t, r, ""), whole)
}
