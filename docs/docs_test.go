// Package docs_test holds the documentation to what the program does.
package docs_test

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ft/internal/testkit"
)

// page is the code of a page that adds something to the program: whole files, and lines for a table.
type page struct {
	files map[string]string // by path in the repository
	lines []line
}

// line is an entry for a table of a file.
type line struct{ file, table, text string }

// read takes the code blocks out of a page. The comment on a block's first line says what it is: `// path/file.go`, or
// `// path/file.go: table`.
func read(t *testing.T, name string) page {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	p := page{files: map[string]string{}}
	for i, block := range strings.Split(string(text), "\n```go\n") {
		if i == 0 {
			continue
		}
		code, _, ok := strings.Cut(block, "\n```\n")
		first, rest, _ := strings.Cut(code, "\n")
		place, isPlace := strings.CutPrefix(first, "// ")
		if !ok || !isPlace {
			t.Fatalf("%s: block %d does not begin with the comment that names its file", name, i)
		}
		if file, table, ok := strings.Cut(place, ": "); ok {
			p.lines = append(p.lines, line{file, table, strings.TrimSpace(rest)})
		} else {
			p.files[place] = strings.TrimLeft(rest, "\n") + "\n"
		}
	}
	if len(p.files) == 0 || len(p.lines) == 0 {
		t.Fatalf("%s: %d files and %d lines of tables found", name, len(p.files), len(p.lines))
	}
	return p
}

// overlay writes the page's files and the changed tables to a directory, for `go -overlay`: nothing in the source tree changes.
func (p page) overlay(t *testing.T, imports ...string) string {
	t.Helper()
	dir, root := t.TempDir(), testkit.Root()
	replace := map[string]string{}
	add := func(file, text string) {
		to := filepath.Join(dir, strings.ReplaceAll(file, "/", "_"))
		put(t, to, text)
		replace[filepath.Join(root, filepath.FromSlash(file))] = to
	}
	for file, text := range p.files {
		add(file, text)
	}
	for _, l := range p.lines {
		data, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(l.file)))
		if err != nil {
			t.Fatal(err)
		}
		before, after, ok := strings.Cut(string(data), "\nvar "+l.table+" = ")
		head, entries, brace := strings.Cut(after, "{\n")
		if !ok || !brace || strings.Contains(head, "\n") {
			t.Fatalf("%s has no table %s", l.file, l.table)
		}
		for _, i := range imports {
			before = strings.Replace(before, "import (\n", "import (\n\t\""+i+"\"\n", 1)
		}
		add(l.file, before+"\nvar "+l.table+" = "+head+"{\n"+l.text+"\n"+entries)
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "overlay.json")
	put(t, file, string(text))
	return file
}

// run runs a command in the root of the repository and returns what it printed.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	c := exec.Command(name, args...)
	c.Dir = testkit.Root()
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// build builds ft with a page's code in it.
func build(t *testing.T, overlay string) string {
	t.Helper()
	ft := filepath.Join(t.TempDir(), "ft.exe")
	run(t, "go", "build", "-overlay", overlay, "-o", ft, ".")
	return ft
}

// TestAddingAMethod: the page's method passes the conformance suite, trains, answers and merges.
func TestAddingAMethod(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program")
	}
	p := read(t, "adding-a-method.md")
	overlay := p.overlay(t, "ft/gain")
	dir := t.TempDir()
	suite := filepath.Join(dir, "gain.test.exe") // go vet and go test want to stand in the folder, which is not there
	run(t, "go", "test", "-c", "-vet=off", "-overlay", overlay, "-o", suite, "./gain")
	run(t, suite)
	base, data, runs := filepath.Join(dir, "base"), filepath.Join(dir, "rows.jsonl"), filepath.Join(dir, "runs")
	if err := os.Mkdir(base, 0o777); err != nil {
		t.Fatal(err)
	}
	testkit.TinyLlama{Seed: 1}.Write(t, base)
	var rows strings.Builder
	for _, q := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"} {
		rows.WriteString(`{"question": "` + q + q + q + `", "answer": "` + q + `"}` + "\n")
	}
	config := "base: " + base + "\nmethod: {kind: gain, targets: [q_proj, down_proj]}\ndata: {files: [" + data + "]}\ntrain: {steps: 3, lr: 0.01}\n" +
		"eval: {max_new_tokens: 4}\nout: " + runs + "\n"
	for file, text := range map[string]string{data: rows.String(), filepath.Join(dir, "gain.yaml"): config} {
		put(t, file, text)
	}
	ft := build(t, overlay)
	if out := run(t, ft, "train", "--config", filepath.Join(dir, "gain.yaml")); !strings.Contains(out, "method   gain") {
		t.Errorf("no word of the method:\n%s", out)
	}
	adapter := filepath.Join(runs, "latest")
	run(t, ft, "generate", "--adapter", adapter, "--max-new", "3", "--prompt", "aaa")
	run(t, ft, "merge", "--adapter", adapter, "--out", filepath.Join(dir, "merged"))
}

// TestAddingAModel: the page's family is read, computes something of its own, as its configuration says.
func TestAddingAModel(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program")
	}
	p := read(t, "adding-a-model.md")
	overlay := p.overlay(t)
	run(t, "go", "vet", "-overlay", overlay, "./model/family")
	ft := build(t, overlay)
	dir := t.TempDir()
	rows := filepath.Join(dir, "rows.jsonl")
	put(t, rows, `{"text": "a b c d e f g"}`)
	scores := map[string]bool{}
	for name, change := range map[string]map[string]any{
		"llama": {}, "toy": {"model_type": "toy", "hidden_act": nil}, "scaled": {"model_type": "toy", "embedding_scale": 2},
	} {
		base := filepath.Join(dir, name)
		if err := os.Mkdir(base, 0o777); err != nil {
			t.Fatal(err)
		}
		testkit.TinyLlama{Seed: 1}.Write(t, base)
		file := filepath.Join(base, "config.json")
		var config map[string]any
		testkit.ReadJSON(t, file, &config)
		maps.Copy(config, change)
		text, err := json.Marshal(config)
		if err != nil {
			t.Fatal(err)
		}
		put(t, file, string(text))
		scores[run(t, ft, "score", "--base", base, "--file", rows, "--json")] = true
	}
	if len(scores) != 3 {
		t.Errorf("three models give %d scores", len(scores))
	}
}

func put(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}
