package run

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"time"
)

// Status says how a run ended.
type Status string

// The states of a run. A run that says Running while no process works on it was killed.
const (
	Running     Status = "running"
	Done        Status = "done"
	Interrupted Status = "interrupted"
	Failed      Status = "failed"
)

// Info is run.json: what made the run and what came of it.
type Info struct {
	Name     string             `json:"name"`
	Status   Status             `json:"status"`
	Started  time.Time          `json:"started"`
	Finished time.Time          `json:"finished,omitzero"`
	Command  []string           `json:"command,omitempty"` // the arguments as typed
	Build    Build              `json:"build"`
	Machine  Machine            `json:"machine"`
	Seeds    map[string]uint64  `json:"seeds,omitempty"`
	Files    []File             `json:"files,omitempty"` // what the run read
	Sizes    map[string]int64   `json:"sizes,omitempty"` // parameters, rows, tokens, bytes
	Times    map[string]float64 `json:"times,omitempty"` // seconds by stage
}

// Build says which program ran.
type Build struct {
	Version  string            `json:"version"`          // of the module ft, "(devel)" for an unreleased build
	Commit   string            `json:"commit,omitempty"` // empty when built outside a checkout
	Modified bool              `json:"modified,omitempty"`
	Go       string            `json:"go"`
	Modules  map[string]string `json:"modules,omitempty"` // version of each module built in
}

// ReadBuild returns what the Go tool wrote into the running program.
func ReadBuild() Build {
	b := Build{Version: "(devel)", Go: runtime.Version()}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if info.Main.Version != "" {
		b.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	b.Modules = make(map[string]string, len(info.Deps))
	for _, m := range info.Deps {
		v := m.Version
		if m.Replace != nil {
			v = m.Replace.Path + " " + m.Replace.Version
		}
		b.Modules[m.Path] = v
	}
	return b
}

// Machine says where a run ran.
type Machine struct {
	OS      string `json:"os"`
	Arch    string `json:"arch"`
	CPUs    int    `json:"cpus"` // logical CPUs that the process may use
	Threads int    `json:"threads,omitempty"`
	Backend string `json:"backend,omitempty"` // the kernels' instruction set
}

// ThisMachine describes the machine, with the kernel backend and the number of worker threads in use.
func ThisMachine(backend string, threads int) Machine {
	return Machine{OS: runtime.GOOS, Arch: runtime.GOARCH, CPUs: runtime.NumCPU(), Threads: threads, Backend: backend}
}

// File identifies an input by its content.
type File struct {
	Path   string `json:"path"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"` // lower-case hex
}

// HashFile reads the file at path from end to end and identifies it.
func HashFile(path string) (File, error) {
	f, err := os.Open(path)
	if err != nil {
		return File{}, fmt.Errorf("run: %w", err)
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	if err != nil {
		return File{}, fmt.Errorf("run: %s: %w", path, err)
	}
	return File{Path: path, Bytes: n, SHA256: hex.EncodeToString(h.Sum(nil))}, nil
}
