package cmd

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"ft/configs"
	"ft/internal/compare"
	"ft/internal/kernels"
	"ft/internal/run"
	"ft/internal/ui"
)

// current reports whether a finished run is what a new one would be: made by this program on this machine from files that have not
// changed since it began.
func current(r *run.Run) bool {
	build, now := r.Info.Build, run.ReadBuild()
	if r.Info.Status != run.Done || build.Version != now.Version || build.Commit != now.Commit || build.Go != now.Go ||
		r.Info.Machine != run.ThisMachine(kernels.Backend(), kernels.Threads()) {
		return false
	}
	for _, f := range r.Info.Files {
		info, err := os.Stat(f.Path)
		if err != nil || info.Size() != f.Bytes || info.ModTime().After(r.Info.Started) {
			return false
		}
	}
	return len(r.Info.Files) > 0
}

// gathering is a report in the making. Its first row is the base, which every run has measured.
type gathering struct {
	report *compare.Report
	first  *run.Run
}

// add puts what came of an entry's run into the report.
func (g *gathering) add(e configs.Entry, r *run.Run, s *ui.Streams) error {
	config, err := os.ReadFile(r.Path(run.ConfigFile))
	if err != nil {
		return err
	}
	sum := summariseRun(r, s)
	row := compare.Row{
		Name: e.Name, Method: sum.Method, Run: r.Dir, Settings: string(config), Steps: sum.Steps, ValLoss: sum.EvalLoss,
		Tokens: r.Info.Sizes["tokens"], Trainable: size(r, "trainable"), Optimizer: size(r, "optimizer_bytes"), Peak: size(r, "peak_bytes"),
	}
	if sum.Scores != nil {
		row.Metrics = sum.Scores.Metrics
	}
	for _, dir := range []string{run.AdapterDir, run.ModelDir} {
		if row.Size, err = tensorBytes(r.Path(dir)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if row.Size != nil {
			break
		}
	}
	if err := curves(r, &row); err != nil {
		return err
	}
	if g.first == nil {
		g.first = r
		zero := int64(0)
		base := &g.report.Rows[0]
		base.Trainable, base.Optimizer, base.ValLoss = &zero, &zero, sum.BaseLoss
		if sum.Scores != nil && sum.Scores.Base != nil {
			base.Metrics = sum.Scores.Base.Metrics
		}
		g.report.Facts = facts(e.Config, r)
	}
	g.report.Rows = append(g.report.Rows, row)
	return nil
}

// size is a number of run.json, nil if it is not there.
func size(r *run.Run, name string) *int64 {
	if n, ok := r.Info.Sizes[name]; ok {
		return &n
	}
	return nil
}

// tensorBytes is the size of the tensor files in a folder; nil if there are none.
func tensorBytes(dir string) (*int64, error) {
	var total int64
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".safetensors" {
			return err
		}
		info, err := d.Info()
		if err == nil {
			total += info.Size()
		}
		return err
	})
	if total == 0 {
		return nil, err
	}
	return &total, err
}

// curves reads losses and the time of the steps from a run's log.
func curves(r *run.Run, row *compare.Row) error {
	f, err := os.Open(r.Path(run.LogFile))
	if err != nil {
		return err
	}
	defer f.Close()
	seconds := 0.0
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var l struct {
			Step      float64
			Loss      *float64
			EvalLoss  *float64 `json:"eval_loss"`
			Tokens    float64
			PerSecond float64 `json:"tokens_per_s"`
		}
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			return fmt.Errorf("%s: %w", r.Path(run.LogFile), err)
		}
		if l.Loss != nil {
			row.Train = append(row.Train, compare.Point{X: l.Step, Y: *l.Loss})
			if l.PerSecond > 0 {
				seconds += l.Tokens / l.PerSecond
			}
		}
		if l.EvalLoss != nil {
			row.Val = append(row.Val, compare.Point{X: l.Step, Y: *l.EvalLoss})
		}
	}
	row.Seconds = &seconds
	return lines.Err()
}

// facts are what all runs of a comparison share.
func facts(c *configs.Config, r *run.Run) []compare.Fact {
	n, m := r.Info.Sizes, r.Info.Machine
	return []compare.Fact{
		{Name: "base", Value: fmt.Sprintf("%s, %s parameters", c.Base, ui.Count(n["parameters"]))},
		{Name: "data", Value: fmt.Sprintf("%s: train %s, val %s, test %s rows, split by seed %d",
			strings.Join(c.Data.Files, ", "), ui.Count(n["train"]), ui.Count(n["val"]), ui.Count(n["test"]), c.Data.Split.Seed)},
		{Name: "machine", Value: fmt.Sprintf("%s/%s, %d threads, %s", m.OS, m.Arch, m.Threads, m.Backend)},
		{Name: "program", Value: strings.TrimSuffix(fmt.Sprintf("ft %s %.12s", r.Info.Build.Version, r.Info.Build.Commit), " ")},
		{Name: "made", Value: time.Now().Format("2006-01-02 15:04")},
	}
}
