package run

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var noon = time.Date(2026, 11, 23, 14, 5, 1, 0, time.UTC)

func create(t *testing.T, root, name string, at time.Time) *Run {
	t.Helper()
	r, err := Create(root, name, at)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestCreate_names(t *testing.T) {
	root := filepath.Join(t.TempDir(), "runs")
	var got []string
	for range 11 {
		got = append(got, filepath.Base(create(t, root, "med", noon).Dir))
	}
	if got[0] != "med-20261123-140501" || got[1] != "med-20261123-140501-2" || got[10] != "med-20261123-140501-11" {
		t.Errorf("names %v", got)
	}
	runs, err := List(root)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range runs {
		if filepath.Base(r.Dir) != got[i] {
			t.Errorf("List()[%d] = %s, want %s", i, r.Dir, got[i])
		}
	}
	if len(runs) != len(got) {
		t.Errorf("List found %d of %d", len(runs), len(got))
	}
}

func TestCreate_atOnce(t *testing.T) {
	root := t.TempDir()
	var wg sync.WaitGroup
	dirs := make([]string, 16)
	for i := range dirs {
		wg.Go(func() {
			if r, err := Create(root, "med", noon); err != nil {
				t.Error(err)
			} else {
				dirs[i] = r.Dir
			}
		})
	}
	wg.Wait()
	seen := map[string]bool{}
	for _, d := range dirs {
		if seen[d] {
			t.Errorf("%s was given out twice", d)
		}
		seen[d] = true
	}
	if _, err := Open(root, "latest"); err != nil {
		t.Error(err)
	}
}

func TestCreate_refuses(t *testing.T) {
	root := t.TempDir()
	for _, name := range []string{"", ".x", "a/b", `a\b`, "a\n", " a", "a:b", strings.Repeat("a", 101), "\u202ea"} {
		if _, err := Create(root, name, noon); err == nil {
			t.Errorf("name %q was accepted", name)
		}
	}
	r := create(t, root, "医学 v2", noon)
	if _, err := Create(r.Dir, "inner", noon); err == nil || !strings.Contains(err.Error(), "itself a run") {
		t.Errorf("a run inside a run: %v", err)
	}
}

func TestOpen(t *testing.T) {
	root := t.TempDir()
	a := create(t, root, "med", noon)
	b := create(t, root, "law", noon.Add(time.Hour))
	c := create(t, root, "med", noon.Add(2*time.Hour))
	d := create(t, root, "law", noon.Add(3*time.Hour))
	for ref, want := range map[string]*Run{
		"": d, "latest": d, "med": c, "law": d, a.Dir: a, filepath.Base(b.Dir): b,
	} {
		got, err := Open(root, ref)
		if err != nil {
			t.Errorf("Open(%q): %v", ref, err)
		} else if filepath.Base(got.Dir) != filepath.Base(want.Dir) || got.Info.Name != want.Info.Name {
			t.Errorf("Open(%q) = %s, want %s", ref, got.Dir, want.Dir)
		}
	}
	if _, err := Open(root, "nope"); err == nil || !strings.Contains(err.Error(), filepath.Base(d.Dir)) {
		t.Errorf("unknown run: %v", err)
	}
	if err := os.RemoveAll(d.Dir); err != nil {
		t.Fatal(err)
	}
	if got, err := Open(root, "latest"); err != nil || got.Dir != c.Dir {
		t.Errorf("latest after its run was deleted: %v, %v", got, err)
	}
	if _, err := Open(t.TempDir(), ""); err == nil {
		t.Error("an empty folder has a latest run")
	}
}

func TestLatest(t *testing.T) {
	root := t.TempDir()
	a := create(t, root, "a", noon)
	b := create(t, root, "b", noon.Add(time.Second))
	path := filepath.Join(root, Latest)
	if runtime.GOOS != "windows" {
		if link, err := os.Readlink(path); err != nil || link != filepath.Base(b.Dir) {
			t.Errorf("latest is %q, %v; want a link to %s", link, err, filepath.Base(b.Dir))
		}
	}
	// Where links fail it is a text file.
	os.Remove(path)
	if err := os.WriteFile(path, []byte(filepath.Base(a.Dir)+"\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if got, err := Open(root, ""); err != nil || got.Dir != a.Dir {
		t.Errorf("latest as text: %v, %v", got, err)
	}
	// It never leads out of the folder of runs.
	if err := os.WriteFile(path, []byte("../x"), 0o666); err != nil {
		t.Fatal(err)
	}
	if name := readLatest(root); name != "" {
		t.Errorf("latest leads to %q", name)
	}
	os.Remove(path)
	if err := os.Mkdir(path, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(root, "c", noon); err == nil {
		t.Error("a folder named latest was written over")
	}
}

func TestInfo_roundTrip(t *testing.T) {
	r := create(t, t.TempDir(), "med", noon)
	r.Info.Command = []string{"lora", "--config", "a<b>.yaml"}
	r.Info.Machine = ThisMachine("generic", 2)
	r.Info.Seeds = map[string]uint64{"train": 1<<64 - 1}
	r.Info.Sizes = map[string]int64{"rows": 10}
	r.Info.Times = map[string]float64{"train": 1.5}
	data := r.Path("data.jsonl")
	if err := os.WriteFile(data, []byte("abc"), 0o666); err != nil {
		t.Fatal(err)
	}
	f, err := HashFile(data)
	if err != nil {
		t.Fatal(err)
	}
	// SHA-256 of "abc" from FIPS 180-2, appendix B.1.
	if f.Bytes != 3 || f.SHA256 != "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" {
		t.Errorf("HashFile = %+v", f)
	}
	r.Info.Files = []File{f}
	if err := r.Finish(Interrupted, noon.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	got, err := Open("elsewhere", r.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(r, got, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
	if raw, _ := os.ReadFile(r.Path(InfoFile)); !strings.Contains(string(raw), "a<b>.yaml") {
		t.Error("run.json escapes < and >")
	}
	if got.Info.Build.Go != runtime.Version() || got.Info.Build.Version == "" {
		t.Errorf("build %+v", got.Info.Build)
	}
}

func TestRows(t *testing.T) {
	r := create(t, t.TempDir(), "med", noon)
	read := func() string {
		t.Helper()
		data, err := os.ReadFile(r.Path(PredictionsFile))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	w, err := r.Append(PredictionsFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(Prediction{ID: "1", Prompt: "a\nb", Prediction: "<x>", Reference: "医"}); err != nil {
		t.Fatal(err)
	}
	row := `{"id":"1","prompt":"a\nb","prediction":"<x>","reference":"医"}` + "\n"
	if got := read(); got != row {
		t.Errorf("before Close the file holds %q, want %q", got, row)
	}
	// A crash leaves half a row.
	if _, err := w.f.WriteString(`{"id":"2","prom` + strings.Repeat("x", 10000)); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if w, err = r.Append(PredictionsFile); err != nil {
		t.Fatal(err)
	}
	if err := w.Write(map[string]float64{"loss": 1}); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if got, want := read(), row+"{\"loss\":1}\n"; got != want {
		t.Errorf("after a crash: %q, want %q", got, want)
	}
	if w, err = r.Replace(PredictionsFile); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if got := read(); got != "" {
		t.Errorf("Replace left %q", got)
	}
}

func TestList_reportsBroken(t *testing.T) {
	root := t.TempDir()
	a, b := create(t, root, "a", noon), create(t, root, "b", noon)
	if err := os.WriteFile(a.Path(InfoFile), []byte("{"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(root, "other"), 0o777); err != nil {
		t.Fatal(err)
	}
	runs, err := List(root)
	if len(runs) != 1 || runs[0].Dir != b.Dir {
		t.Errorf("runs %v", runs)
	}
	if err == nil || !strings.Contains(err.Error(), a.Path(InfoFile)) {
		t.Errorf("err = %v", err)
	}
	if runs, err := List(filepath.Join(root, "missing")); len(runs) != 0 || err != nil {
		t.Errorf("a missing folder: %v, %v", runs, err)
	}
}
