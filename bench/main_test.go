package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		v    []float64
		want float64
	}{{[]float64{3}, 3}, {[]float64{9, 1, 5}, 5}, {[]float64{4, 1, 3, 2}, 3}} {
		if got := median(c.v); got != c.want {
			t.Errorf("median of %v: %g, want %g", c.v, got, c.want)
		}
	}
}

func TestStepRate(t *testing.T) {
	log := `{"step":0,"epoch":0,"eval_loss":3}
{"step":1,"lr":1,"tokens_per_s":1}
{"step":2,"lr":1,"tokens_per_s":2}
{"step":3,"lr":0,"tokens_per_s":3}
{"step":4,"lr":1,"tokens_per_s":90}
{"step":5,"lr":1,"tokens_per_s":70}
{"step":6,"lr":1,"tokens_per_s":80}
`
	if got, err := stepRate([]byte(log)); err != nil || got != 80 {
		t.Errorf("%g, %v; want 80", got, err)
	}
	for _, bad := range []string{"", "{", `{"step":1,"lr":1,"tokens_per_s":1}`} {
		if _, err := stepRate([]byte(bad)); err == nil {
			t.Errorf("a rate from %q", bad)
		}
	}
}

func TestUpdate(t *testing.T) {
	page := filepath.Join(t.TempDir(), "page.md")
	text := "# A\n<!-- bench: begin -->\nold\n<!-- bench: end -->\ntail\n"
	if err := os.WriteFile(page, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := update(page, "bench", "new\n"); err != nil {
			t.Fatal(err)
		}
	}
	got, _ := os.ReadFile(page)
	if want := strings.Replace(text, "old", "new", 1); string(got) != want {
		t.Errorf("page\n%s\nwant\n%s", got, want)
	}
	if err := update(page, "other", ""); err == nil {
		t.Error("a page without the marks was changed")
	}
	if err := update(filepath.Join("..", "docs", "benchmarks.md"), "none", ""); err == nil || !strings.Contains(err.Error(), "no marks") {
		t.Errorf("docs/benchmarks.md: %v", err)
	}
}

func TestParse(t *testing.T) {
	good := []string{"-base", "b", "-data", "d", "-hf", "h", "-peer-python", "p"}
	o, err := parse(good)
	if err != nil {
		t.Fatal(err)
	}
	if chosen, err := o.choose(); err != nil || len(chosen) != 4 {
		t.Errorf("%d tasks for Python, %v", len(chosen), err)
	}
	for _, more := range [][]string{{"-tasks", "decode"}, {"-tasks", "train1,nothing"}} {
		o, err := parse(append(good, more...))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := o.choose(); err == nil {
			t.Errorf("%v are tasks", more)
		}
	}
	for _, bad := range [][]string{nil, good[:4], {"-base", "b", "-data", "d", "-peer-python", "p"}, append(good, "-rounds", "0"), append(good, "x")} {
		if _, err := parse(bad); err == nil {
			t.Errorf("%v is a command line", bad)
		}
	}
}

// TestRun lets two scripts take the places of ft and llama.cpp, and reads the table that comes of it.
func TestRun(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the programs are shell scripts")
	}
	dir := t.TempDir()
	script := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o777); err != nil {
			t.Fatal(err)
		}
		return path
	}
	ft := script("ft", `echo "the first step begins" >&2
case "$1" in
version) echo '{"version": "v9", "backend": "avx9"}' ;;
bench) echo '{"prompt": [{"tokens_per_s": 30}], "decode": [{"tokens_per_s": 12.5}, {"tokens_per_s": 1}]}' ;;
esac
`)
	script("node", `echo "loading"; echo '{"prompt_tokens_per_s": 10, "decode_tokens_per_s": 10}'`)
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("a shell script is no program here")
	}
	page := filepath.Join(dir, "page.md")
	if err := os.WriteFile(page, []byte("<!-- bench: begin -->\n<!-- bench: end -->\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := run([]string{"-ft", ft, "-base", "b", "-data", "d", "-llamacpp", dir, "-rounds", "2", "-doc", page}); err != nil {
		t.Fatal(err)
	}
	text, _ := os.ReadFile(page)
	for _, want := range []string{"| 30.0 | 10.0 | 3.00 |", "| 12.5 | 10.0 | 1.25 |", "backend avx9", "Medians of 2 rounds", "go run ./bench -ft"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	script("node", "echo broken >&2; exit 3")
	if err := run([]string{"-ft", ft, "-base", "b", "-data", "d", "-llamacpp", dir}); err == nil || !strings.Contains(err.Error(), "broken") {
		t.Errorf("a peer that fails: %v", err)
	}
}
