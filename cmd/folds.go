package cmd

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"ft/configs"
	"ft/internal/atomicfile"
	"ft/internal/plainjson"
	"ft/internal/run"
	"ft/internal/ui"
	"ft/trainer"
)

// foldsFile is what --fold all writes beside its runs.
const foldsFile = "folds.json"

// folds does what --fold asks for. Of one fold it changes the config, and the caller goes on; of all it trains every one, each in a process
// of its own, and shows what came of them.
func (o *trainFlags) folds(c *cobra.Command, cfg *configs.Config, s ui.Streams) (done bool, err error) {
	split := &cfg.Data.Split
	if split.Folds == 0 {
		return false, usageError{errors.New("--fold: data.split.folds is 0; set it to the number of folds, such as 5")}
	}
	if o.fold != "all" {
		fold, err := strconv.Atoi(o.fold)
		if err != nil || fold < 1 || fold > split.Folds {
			return false, usageError{fmt.Errorf("--fold: must be all, or from 1 to data.split.folds (%d), got %q", split.Folds, o.fold)}
		}
		split.Fold = fold
		return false, nil
	}
	if err := o.checkFolds(*cfg, s); err != nil || o.dryRun {
		return true, err
	}
	dir, err := run.Folder(cfg.Out, cfg.Name+"-folds", time.Now())
	if err != nil {
		return true, err
	}
	s.Note("folds    %s", dir)
	for fold := range split.Folds {
		s.Note("fold     %d of %d", fold+1, split.Folds)
		err := childProcess(c, o.foldArgs(fold+1, foldName(cfg, fold+1), dir), s)
		if errors.Is(err, trainer.ErrInterrupted) {
			return true, err
		}
		if err != nil {
			return true, fmt.Errorf("fold %d of %d: %w; the folds before it are in %s", fold+1, split.Folds, err, dir)
		}
	}
	sum, err := sumFolds(cfg, dir, &s)
	if err != nil {
		return true, err
	}
	data, err := plainjson.Marshal(sum, "  ")
	if err != nil {
		return true, err
	}
	path := filepath.Join(dir, foldsFile)
	if err := atomicfile.WriteFile(path, data); err != nil {
		return true, err
	}
	if err := sum.print(s); err != nil {
		return true, err
	}
	s.Note("folds    %s", path)
	return true, nil
}

func foldName(cfg *configs.Config, fold int) string { return fmt.Sprintf("%s-fold%d", cfg.Name, fold) }

// foldArgs are the arguments of the process that trains a fold.
func (o *trainFlags) foldArgs(fold int, name, out string) []string {
	args := []string{"--config", o.config}
	for _, set := range o.set {
		args = append(args, "--set", set)
	}
	args = append(args, "--set", "out="+out, "--fold", strconv.Itoa(fold), "--name", name)
	if o.profile {
		args = append(args, "--profile")
	}
	return args
}

// checkFolds reads and splits the data of every fold, so that a part which is empty, or a leak, is found before the first is trained.
func (o *trainFlags) checkFolds(cfg configs.Config, s ui.Streams) error {
	for fold := range cfg.Data.Split.Folds {
		cfg.Data.Split.Fold = fold + 1
		notes := s
		notes.Quiet = s.Quiet || fold > 0 && !o.dryRun
		p, err := prepare(&cfg, notes)
		if err != nil {
			return fmt.Errorf("fold %d: %w", fold+1, err)
		}
		if o.dryRun {
			s.Note("fold     %d of %d", fold+1, cfg.Data.Split.Folds)
			p.summary(s)
		}
		p.close()
	}
	if o.dryRun {
		s.Note("dry run: nothing was trained or written")
	}
	return nil
}

// foldSummary is folds.json. Deviations are those of a sample (divided by n-1).
type foldSummary struct {
	Name          string             `json:"name"`
	Folds         []foldResult       `json:"folds"`
	Mean          map[string]float64 `json:"mean"` // of val_loss and of each score on the test part
	Deviation     map[string]float64 `json:"deviation"`
	BaseMean      map[string]float64 `json:"base_mean"`
	BaseDeviation map[string]float64 `json:"base_deviation"`
}

// foldResult is what came of a fold.
type foldResult struct {
	Fold   int                `json:"fold"`
	Run    string             `json:"run"`
	Train  int64              `json:"train"` // rows or samples, as in run.json
	Val    int64              `json:"val"`
	Test   int64              `json:"test"`
	Scores map[string]float64 `json:"scores"` // val_loss and the scores on the test part
	Base   map[string]float64 `json:"base"`
}

const valLoss = "val_loss"

// sumFolds gathers what the runs of all folds came to.
func sumFolds(cfg *configs.Config, dir string, s *ui.Streams) (*foldSummary, error) {
	sum := &foldSummary{Name: cfg.Name}
	for fold := range cfg.Data.Split.Folds {
		r, err := run.Open(dir, foldName(cfg, fold+1))
		if err != nil {
			return nil, err
		}
		shown := summariseRun(r, s)
		f := foldResult{
			Fold: fold + 1, Run: r.Dir, Train: r.Info.Sizes["train"], Val: r.Info.Sizes["val"], Test: r.Info.Sizes["test"],
			Scores: map[string]float64{}, Base: map[string]float64{},
		}
		if shown.EvalLoss != nil {
			f.Scores[valLoss] = *shown.EvalLoss
		}
		if shown.BaseLoss != nil {
			f.Base[valLoss] = *shown.BaseLoss
		}
		if shown.Scores != nil {
			maps.Copy(f.Scores, shown.Scores.Metrics)
			if shown.Scores.Base != nil {
				maps.Copy(f.Base, shown.Scores.Base.Metrics)
			}
		}
		sum.Folds = append(sum.Folds, f)
	}
	sum.Mean, sum.Deviation = spread(sum.Folds, func(f foldResult) map[string]float64 { return f.Scores })
	sum.BaseMean, sum.BaseDeviation = spread(sum.Folds, func(f foldResult) map[string]float64 { return f.Base })
	return sum, nil
}

// spread is mean and standard deviation of each score that all folds have.
func spread(folds []foldResult, of func(foldResult) map[string]float64) (mean, deviation map[string]float64) {
	mean, deviation = map[string]float64{}, map[string]float64{}
	n := float64(len(folds))
names:
	for name := range of(folds[0]) {
		total, squares := 0.0, 0.0
		for _, f := range folds {
			v, ok := of(f)[name]
			if !ok {
				continue names
			}
			total += v
		}
		for _, f := range folds {
			d := of(f)[name] - total/n
			squares += d * d
		}
		mean[name], deviation[name] = total/n, math.Sqrt(squares/(n-1))
	}
	return mean, deviation
}

// print shows the folds and their mean ± deviation, tuned above base.
func (sum *foldSummary) print(s ui.Streams) error {
	names := slices.Sorted(maps.Keys(sum.Mean))
	header := append([]string{"fold", "train", "val", "test"}, names...)
	number := func(name string, v float64) string {
		if name == valLoss {
			return fmt.Sprintf("%.4f", v)
		}
		return fmt.Sprintf("%.2f", v)
	}
	var rows [][]string
	for _, f := range sum.Folds {
		row := []string{strconv.Itoa(f.Fold), ui.Count(f.Train), ui.Count(f.Val), ui.Count(f.Test)}
		for _, name := range names {
			row = append(row, number(name, f.Scores[name]))
		}
		rows = append(rows, row)
	}
	for _, total := range []struct {
		title           string
		mean, deviation map[string]float64
	}{{"tuned", sum.Mean, sum.Deviation}, {"base", sum.BaseMean, sum.BaseDeviation}} {
		row := []string{total.title, "", "", ""}
		for _, name := range names {
			cell := "-"
			if v, ok := total.mean[name]; ok {
				cell = number(name, v) + " ± " + number(name, total.deviation[name])
			}
			row = append(row, cell)
		}
		rows = append(rows, row)
	}
	return ui.Table(s.Out, header, rows)
}
