package cmd

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"ft/internal/kernels"
	"ft/internal/testkit"
)

// TestMain lets scripts call this test binary as ft.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"ft": func() { os.Exit(Main()) }})
}

// TestScripts runs testdata/script. $MODEL is a tiny model's directory, $OTHER one of another width, and $FACTS a file of questions and answers, both
// shared by all scripts; $ESC is the escape character.
func TestScripts(t *testing.T) {
	shared := t.TempDir()
	model, facts := filepath.Join(shared, "tiny"), filepath.Join(shared, "facts.jsonl")
	other := filepath.Join(shared, "other")
	for dir, m := range map[string]testkit.TinyLlama{model: {Seed: 1}, other: {Seed: 2, Dim: 48}} {
		if err := os.Mkdir(dir, 0o777); err != nil {
			t.Fatal(err)
		}
		m.Write(t, dir)
	}
	testkit.WriteFacts(t, facts)
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"),
		Setup: func(e *testscript.Env) error {
			for name, v := range map[string]string{"ESC": "\x1b", "MODEL": model, "OTHER": other, "FACTS": facts, "FT_CACHE_DIR": filepath.Join(e.WorkDir, "cache")} {
				e.Setenv(name, v)
			}
			if kernels.Notice() != "" { // every command would say so, and scripts check what is said
				e.Setenv("FT_CPU", kernels.Backend())
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
	})
}

// exits is a script command: `exits 2 ft …` runs a command that must end with that exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits code command [args]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}
