// Package run keeps run directories: one folder per training run that holds everything needed to read,
// repeat or go on with it. runs/README.md in the repository describes the files.
//
// A run directory is made once and never made inside or on top of another. Files that are written in one
// go appear whole or not at all; logs grow row by row, and a row is handed to the operating system before
// the next begins.
package run

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"

	"ft/internal/atomicfile"
	"ft/internal/plainjson"
)

// Names inside a run directory.
const (
	ConfigFile      = "config.yaml"
	InfoFile        = "run.json"
	SplitFile       = "split.json"
	LogFile         = "log.jsonl"
	PredictionsFile = "predictions.jsonl"
	// BasePredictionsFile holds the base's answers, beside the tuned model's.
	BasePredictionsFile = "predictions-base.jsonl"
	MetricsFile         = "metrics.json"
	DataFile            = "data.json" // what was in the data, and what was left out
	ReportFile          = "report.html"
	AdapterDir          = "adapter"
	ModelDir            = "model" // of a method that makes a whole model
)

const stamp = "20060102-150405"

// Run is one run directory.
type Run struct {
	Dir  string // as given when it was created or opened
	Info Info   // what run.json says; Save writes it back
}

// Create makes root/name-YYYYMMDD-HHMMSS, with -2, -3 and so on after it if that second is taken, writes
// its run.json with status Running, and points root/latest at it. started gives the time stamp, in its own
// time zone.
func Create(root, name string, started time.Time) (*Run, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(root, InfoFile)); err == nil {
		return nil, fmt.Errorf("run: %s is itself a run directory, a run is not made inside another", root)
	}
	if err := os.MkdirAll(root, 0o777); err != nil {
		return nil, fmt.Errorf("run: %w", err)
	}
	base := name + "-" + started.Format(stamp)
	dir, err := makeFresh(root, base)
	if err != nil {
		return nil, fmt.Errorf("run: %w", err)
	}
	r := &Run{Dir: dir, Info: Info{Name: name, Status: Running, Started: started, Build: ReadBuild()}}
	if err := r.Save(); err != nil {
		return nil, err
	}
	if err := pointLatest(root, filepath.Base(dir)); err != nil {
		return nil, fmt.Errorf("run: %w", err)
	}
	return r, nil
}

// Folder makes a folder for runs that belong together, as Create names one, and returns its path.
func Folder(root, name string, started time.Time) (string, error) {
	if err := CheckName(name); err != nil {
		return "", err
	}
	err := os.MkdirAll(root, 0o777)
	dir := ""
	if err == nil {
		dir, err = makeFresh(root, name+"-"+started.Format(stamp))
	}
	if err != nil {
		return "", fmt.Errorf("run: %w", err)
	}
	return dir, nil
}

// makeFresh makes the first of root/base, root/base-2, … that is not there. Mkdir decides, so two
// processes never get the same one.
func makeFresh(root, base string) (string, error) {
	for i := 1; i <= 1000; i++ {
		dir := filepath.Join(root, base)
		if i > 1 {
			dir += fmt.Sprintf("-%d", i)
		}
		err := os.Mkdir(dir, 0o777)
		if err == nil {
			return dir, nil
		}
		if !errors.Is(err, os.ErrExist) {
			return "", err
		}
	}
	return "", fmt.Errorf("%s: too many runs in one second", filepath.Join(root, base))
}

// CheckName refuses what would not be a plain folder name on every system.
func CheckName(name string) error {
	bad := func(r rune) bool { return !unicode.IsPrint(r) || strings.ContainsRune(`/\:*?"<>|`, r) }
	switch {
	case name == "":
		return errors.New("run: the run needs a name")
	case len(name) > 100:
		return fmt.Errorf("run: name of %d bytes, at most 100 fit", len(name))
	case strings.ContainsFunc(name, bad), strings.HasPrefix(name, "."), strings.TrimSpace(name) != name:
		return fmt.Errorf("run: name %q cannot be a folder: no leading dot or blanks around it, no / \\ : * ? \" < > |", name)
	}
	return nil
}

// Path is the place of a file or folder of the run, such as Path(LogFile).
func (r *Run) Path(name string) string { return filepath.Join(r.Dir, name) }

// Save writes run.json from r.Info.
func (r *Run) Save() error { return r.WriteJSON(InfoFile, r.Info) }

// Finish notes how the run ended and how long it took, and writes run.json.
func (r *Run) Finish(s Status, at time.Time) error {
	r.Info.Status = s
	r.Info.Finished = at
	return r.Save()
}

// WriteJSON puts v into the run as an indented JSON file.
func (r *Run) WriteJSON(name string, v any) error {
	data, err := plainjson.Marshal(v, "  ")
	if err != nil {
		return fmt.Errorf("run: %s: %w", r.Path(name), err)
	}
	return r.WriteFile(name, data)
}

// Write puts a file into the run as write gives it.
func (r *Run) Write(name string, write func(io.Writer) error) error {
	f, err := atomicfile.Create(r.Path(name))
	if err != nil {
		return fmt.Errorf("run: %w", err)
	}
	defer f.Abort()
	if err := write(f); err != nil {
		return fmt.Errorf("run: %s: %w", r.Path(name), err)
	}
	if err := f.Commit(); err != nil {
		return fmt.Errorf("run: %w", err)
	}
	return nil
}

// WriteFile puts a file into the run.
func (r *Run) WriteFile(name string, data []byte) error {
	if err := atomicfile.WriteFile(r.Path(name), data); err != nil {
		return fmt.Errorf("run: %w", err)
	}
	return nil
}
