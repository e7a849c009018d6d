package cmd

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"ft/internal/kernels"
	"ft/internal/run"
	"ft/internal/ui"
)

// version is what `ft version` tells.
type version struct {
	run.Build
	OS       string   `json:"os"`
	Arch     string   `json:"arch"`
	Backend  string   `json:"backend"`  // in use
	Backends []string `json:"backends"` // this machine can run, best first
	Threads  int      `json:"threads"`
}

func newVersionCmd(s *ui.Streams) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "version",
		Short: "Tell the build, the kernels in use and the modules built in",
		Long: `Tell the build, the kernels in use and those that this machine has, and with -v the modules built in.

Kernels, best first: amx (bf16 products on tiles), avx512bf16 (bf16 products with AVX-512), avx512 and avx2 (float32), generic (plain
Go, float32, on every machine). Each is tried on a few rows at the start, and one that is wrong or not permitted is
left out. --cpu or FT_CPU chooses another one than the best.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			v := version{
				Build: run.ReadBuild(), OS: runtime.GOOS, Arch: runtime.GOARCH,
				Backend: kernels.Backend(), Backends: kernels.Backends(), Threads: kernels.Threads(),
			}
			if asJSON {
				return writeJSON(s.Out, v)
			}
			return v.print(s.Out, s.Verbose)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "one JSON object on stdout")
	return c
}

// print writes v for a person, with the modules if all is wanted.
func (v version) print(w io.Writer, all bool) error {
	commit := v.Commit
	if commit == "" {
		commit = "unknown"
	}
	if v.Modified {
		commit += " (modified)"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "ft %s\n", v.Version)
	for _, line := range [][2]string{
		{"commit", commit},
		{"go", v.Go + " " + v.OS + "/" + v.Arch},
		{"backend", v.Backend + " (this machine has: " + strings.Join(v.Backends, ", ") + ")"},
		{"threads", fmt.Sprint(v.Threads)},
	} {
		fmt.Fprintf(&b, "%-9s%s\n", line[0], line[1])
	}
	if all {
		for _, path := range slices.Sorted(maps.Keys(v.Modules)) {
			fmt.Fprintf(&b, "module   %s %s\n", path, v.Modules[path])
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// writeJSON writes v as one indented JSON object.
func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
