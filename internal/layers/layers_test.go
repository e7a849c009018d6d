// Package layers holds a test of the import direction, and of what else the source must not do. It reads the source
// files themselves, whatever their build tags.
package layers

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ft/internal/testkit"
)

// order lists the packages from the lowest layer up: a package imports only packages of lower layers. Do not move
// a package to make an import possible without saying why in docs/architecture.md.
var order = [][]string{
	{"internal/quant", "internal/jieba", "internal/atomicfile", "internal/suggest", "internal/keyed", "internal/plainjson", "internal/profile", "internal/stash", "internal/mecab", "internal/textenc", "internal/mend", "internal/workers"},
	{"internal/kernels", "weights", "tokenizer", "internal/near", "internal/ui", "internal/run", "internal/tfevents"},
	{"internal/op", "internal/linalg", "optim", "dataset", "weights/safetensors", "weights/gguf", "tokenizer/chat", "eval", "internal/chart"},
	{"nn", "internal/tokencache", "eval/task", "internal/compare", "internal/report", "internal/review"},
	{"model"},
	{"model/family", "peft", "generate", "internal/likelihood"},
	{"base", "trainer"}, // and the methods
	{"merge", "configs", "lora/arith"},
	{"cmd"},
	{".", "bench", "bench/rows"}, // programs
}

// testOnly packages serve tests: only test files, and one another, import them.
var testOnly = []string{"internal/testkit", "internal/testkit/backend", "internal/testkit/browser", "peft/pefttest"}

// walled are modules that only the listed packages import.
var walled = map[string][]string{
	"github.com/nlpodyssey/spago": {"nn", "internal/op"},
	"github.com/spf13/viper":      {"configs"},
}

// calls are the functions that only the listed packages call. What a user can cause is an error, not a panic:
// kernels and quant panic on a programmer's error alone.
var calls = map[string][]string{
	"os.Exit":     {".", "cmd", "bench", "bench/rows"},
	"log.Fatal":   nil,
	"log.Fatalf":  nil,
	"log.Fatalln": nil,
	"log.Panic":   nil,
	"log.Panicf":  nil,
	"log.Panicln": nil,
	"panic":       {"internal/kernels", "internal/quant"},
}

func TestLayers(t *testing.T) {
	broken, n := check(t, testkit.Root())
	for _, b := range broken {
		t.Error(b)
	}
	if n < 20 {
		t.Errorf("only %d packages found", n)
	}
}

// TestLayers_planted shows that each rule finds what it forbids.
func TestLayers_planted(t *testing.T) {
	for _, c := range []struct{ name, file, source, want string }{
		{"upward", "nn/a.go", `import _ "ft/model"`, "nn (layer 3) imports model (layer 4)"},
		{"from a method", "toy/a.go", `import _ "ft/trainer"`, "toy (layer 6) imports trainer (layer 6)"},
		{"into a method", "peft/a.go", `import _ "ft/toy"`, "peft (layer 5) imports toy (layer 6)"},
		{"sideways", "dataset/a.go", `import _ "ft/eval"`, "dataset (layer 2) imports eval (layer 2)"},
		{"with a build tag", "optim/a_windows.go", `import _ "ft/nn"`, "optim (layer 2) imports nn (layer 3)"},
		{"not listed", "internal/stray/a.go", ``, "package internal/stray is in no layer"},
		{"imports what is not listed", "cmd/a.go", `import _ "ft/internal/stray"`, "cmd imports internal/stray, which is in no layer"},
		{"test package", "cmd/a.go", `import _ "ft/internal/testkit"`, "cmd imports internal/testkit, which is for tests only"},
		{"autograd", "model/a.go", `import _ "github.com/nlpodyssey/spago/mat"`, "model imports github.com/nlpodyssey/spago/mat"},
		{"settings", "cmd/a.go", `import _ "github.com/spf13/viper"`, "cmd imports github.com/spf13/viper"},
		{"exit", "nn/a.go", "import \"os\"\nfunc f() { os.Exit(1) }", "nn calls os.Exit"},
		{"fatal", "cmd/a.go", "import \"log\"\nfunc f() { log.Fatalf(\"\") }", "cmd calls log.Fatalf"},
		{"panic", "weights/a.go", `func f() { panic("") }`, "weights calls panic"},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := t.TempDir()
			plant(t, root, c.file, c.source)
			broken, _ := check(t, root)
			if len(broken) != 1 || !strings.Contains(broken[0], c.want) {
				t.Errorf("found %q, expected one with %q", broken, c.want)
			}
		})
	}
}

// TestLayers_allowed shows what passes: downward imports, test files, folders that Go leaves out.
func TestLayers_allowed(t *testing.T) {
	root := t.TempDir()
	for file, source := range map[string]string{
		"nn/a.go":               "import _ \"ft/internal/op\"\nimport _ \"github.com/nlpodyssey/spago/ag\"",
		"nn/a_test.go":          "import _ \"ft/model\"\nimport _ \"ft/internal/testkit\"\nfunc f() { panic(1) }",
		"peft/pefttest/a.go":    "import _ \"ft/internal/testkit\"\nimport _ \"ft/lora\"",
		"model/testdata/a.go":   `import _ "ft/cmd"`,
		"optim/_gen/a.go":       `import _ "ft/cmd"`,
		"internal/quant/a.go":   `func f() { panic("") }`,
		"main.go":               "import \"os\"\nfunc f() { os.Exit(0) }",
		"internal/kernels/b.go": "type x struct{}\nfunc (x) panic() {}\nfunc f() { x{}.panic() }",
	} {
		plant(t, root, file, source)
	}
	if broken, _ := check(t, root); len(broken) != 0 {
		t.Errorf("found %q", broken)
	}
}

func plant(t *testing.T, root, file, source string) {
	t.Helper()
	file = filepath.Join(root, filepath.FromSlash(file))
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("package p\n"+source), 0o666); err != nil {
		t.Fatal(err)
	}
}

// check reads all packages below root and returns what breaks the rules, and the number of packages.
func check(t *testing.T, root string) (broken []string, packages int) {
	t.Helper()
	seen := map[string]bool{}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := d.Name()
		if d.IsDir() {
			if name != root && (base == "testdata" || base == "vendor" || strings.HasPrefix(base, "_") || strings.HasPrefix(base, ".")) {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(base, ".go") || strings.HasSuffix(base, "_test.go") {
			return nil
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		pkg := path.Dir(rel)
		if !seen[pkg] {
			seen[pkg] = true
			if layer(pkg) < 0 && !slices.Contains(testOnly, pkg) {
				broken = append(broken, fmt.Sprintf("package %s is in no layer: add it to order", pkg))
			}
		}
		src, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, what := range append(badImports(pkg, src), badCalls(pkg, src)...) {
			broken = append(broken, rel+": "+what)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return broken, len(seen)
}

// layer is the number of a package's layer, -1 if it has none. A folder of the top level that order does not list is a method.
func layer(pkg string) int {
	listed := slices.ContainsFunc(order, func(l []string) bool { return slices.Contains(l, pkg) })
	if !listed && !strings.Contains(pkg, "/") && !slices.Contains(testOnly, pkg) {
		pkg = "trainer" // whose layer the methods share
	}
	return slices.IndexFunc(order, func(l []string) bool { return slices.Contains(l, pkg) })
}

func badImports(pkg string, src *ast.File) (broken []string) {
	for _, spec := range src.Imports {
		name, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue
		}
		for module, allowed := range walled {
			if (name == module || strings.HasPrefix(name, module+"/")) && !slices.Contains(allowed, pkg) {
				broken = append(broken, fmt.Sprintf("%s imports %s; only %v may", pkg, name, allowed))
			}
		}
		used, ours := strings.CutPrefix(name, "ft/")
		if !ours || slices.Contains(testOnly, pkg) {
			continue
		}
		switch from, to := layer(pkg), layer(used); {
		case slices.Contains(testOnly, used):
			broken = append(broken, fmt.Sprintf("%s imports %s, which is for tests only", pkg, used))
		case to < 0:
			broken = append(broken, fmt.Sprintf("%s imports %s, which is in no layer", pkg, used))
		case from >= 0 && to >= from:
			broken = append(broken, fmt.Sprintf("%s (layer %d) imports %s (layer %d): only lower layers are allowed", pkg, from, used, to))
		}
	}
	return broken
}

func badCalls(pkg string, src *ast.File) (broken []string) {
	ast.Inspect(src, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		name := ""
		switch f := call.Fun.(type) {
		case *ast.Ident:
			name = f.Name
		case *ast.SelectorExpr:
			if x, ok := f.X.(*ast.Ident); ok {
				name = x.Name + "." + f.Sel.Name
			}
		}
		if allowed, listed := calls[name]; listed && !slices.Contains(allowed, pkg) && !slices.Contains(testOnly, pkg) {
			broken = append(broken, fmt.Sprintf("%s calls %s; only %v may", pkg, name, allowed))
		}
		return true
	})
	return broken
}
