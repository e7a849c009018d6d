package cmd

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"ft/configs"
	"ft/eval"
	"ft/internal/run"
	"ft/internal/ui"
)

func newRunsCmd(s *ui.Streams) *cobra.Command {
	c := newGroup("runs", "List and show training runs")
	c.AddCommand(newRunsListCmd(s), newRunsShowCmd(s))
	return c
}

// runsFlags are what the verbs about runs share.
type runsFlags struct {
	root string
	json bool
}

func (o *runsFlags) register(c *cobra.Command) {
	c.Flags().StringVar(&o.root, "runs", configs.Default().Out, "the folder that holds the runs")
	c.Flags().BoolVar(&o.json, "json", false, "JSON on stdout")
}

func newRunsListCmd(s *ui.Streams) *cobra.Command {
	var o runsFlags
	c := &cobra.Command{
		Use:   "list",
		Short: "List the runs, oldest first",
		Long: `List the runs of a folder, oldest first; with --json one object a line. A run that was killed still says that it is
running, and has what it wrote until then.`,
		Example: `  ft runs list
  ft runs list --runs experiments --json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if c.Flags().Changed("runs") {
				if _, err := os.Stat(o.root); err != nil {
					return err
				}
			}
			return o.list(s)
		},
	}
	o.register(c)
	return c
}

func (o *runsFlags) list(s *ui.Streams) error {
	runs, err := run.List(o.root)
	if err != nil && len(runs) == 0 {
		return err
	}
	if err != nil {
		s.Warn("%v", err)
	}
	if len(runs) == 0 {
		s.Note("no runs in %s", o.root)
		return nil
	}
	var rows [][]string
	write := lineWriter(s.Out)
	for _, r := range runs {
		sum := summariseRun(r, s)
		if !o.json {
			rows = append(rows, sum.cells())
		} else if err := write(sum); err != nil {
			return err
		}
	}
	if o.json {
		return nil
	}
	return ui.Table(s.Out, []string{"run", "status", "started", "took", "base", "method", "steps", "eval loss", "scores"}, rows)
}

func newRunsShowCmd(s *ui.Streams) *cobra.Command {
	var o runsFlags
	c := &cobra.Command{
		Use:   "show [RUN]",
		Short: "Show one run: how it was made and what came of it",
		Long: `Show one run: how it was made, on what, and what came of it. RUN is a run's directory, its folder under --runs, or the
name it was started with (the newest of that name); without it the newest run is shown.`,
		Example: `  ft runs show
  ft runs show med --json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			r, err := run.Open(o.root, strings.Join(args, ""))
			if err != nil {
				return err
			}
			shown := shownRun{runSummary: summariseRun(r, s), Info: r.Info}
			if o.json {
				return writeJSON(s.Out, shown)
			}
			return shown.print(s.Out)
		},
	}
	o.register(c)
	return c
}

// runSummary is a run in one line. What a killed run did not get to write is empty.
type runSummary struct {
	Name     string       `json:"name"`
	Dir      string       `json:"dir"`
	Status   run.Status   `json:"status"`
	Started  time.Time    `json:"started"`
	Seconds  float64      `json:"seconds"` // from the start to the end, or to the last thing logged
	Base     string       `json:"base,omitempty"`
	Method   string       `json:"method,omitempty"`
	Steps    int          `json:"steps"`
	BaseLoss *float64     `json:"base_loss,omitempty"` // before training
	EvalLoss *float64     `json:"eval_loss,omitempty"` // the best
	BestStep int          `json:"best_step,omitempty"` // of EvalLoss
	Scores   *eval.Result `json:"scores,omitempty"`
}

// summariseRun gathers what a run's files tell. Files that are missing are passed over, others that cannot be read are
// warned of.
func summariseRun(r *run.Run, s *ui.Streams) runSummary {
	sum := runSummary{Name: r.Info.Name, Dir: r.Dir, Status: r.Info.Status, Started: r.Info.Started}
	for _, file := range []struct {
		name string
		read func([]byte) error
	}{{run.ConfigFile, sum.readConfig}, {run.LogFile, sum.readLog}, {run.MetricsFile, sum.readScores}} {
		data, err := os.ReadFile(r.Path(file.name))
		if err == nil {
			err = file.read(data)
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			s.Warn("%s: %v", r.Path(file.name), err)
		}
	}
	if !r.Info.Finished.IsZero() {
		sum.Seconds = r.Info.Finished.Sub(r.Info.Started).Seconds()
	}
	return sum
}

func (sum *runSummary) readConfig(data []byte) error {
	var c struct {
		Base   string `yaml:"base"`
		Method struct {
			Kind string `yaml:"kind"`
		} `yaml:"method"`
	}
	if err := yaml.Unmarshal(data, &c); err != nil {
		return err
	}
	sum.Base, sum.Method = c.Base, c.Method.Kind
	return nil
}

// readLog takes steps, losses and time from log.jsonl. A crash may have cut the last row, so rows that are no JSON do not
// count.
func (sum *runSummary) readLog(data []byte) error {
	lines := bufio.NewScanner(strings.NewReader(string(data)))
	lines.Buffer(nil, len(data)+1)
	for lines.Scan() {
		var row struct {
			Step     int      `json:"step"`
			EvalLoss *float64 `json:"eval_loss"`
			Seconds  float64  `json:"seconds"`
		}
		if json.Unmarshal(lines.Bytes(), &row) != nil {
			continue
		}
		sum.Steps = max(sum.Steps, row.Step)
		sum.Seconds = max(sum.Seconds, row.Seconds)
		switch {
		case row.EvalLoss == nil:
		case row.Step == 0:
			sum.BaseLoss = row.EvalLoss
		case sum.EvalLoss == nil || *row.EvalLoss < *sum.EvalLoss:
			sum.EvalLoss, sum.BestStep = row.EvalLoss, row.Step
		}
	}
	return lines.Err()
}

func (sum *runSummary) readScores(data []byte) error {
	var r eval.Result
	if err := json.Unmarshal(data, &r); err != nil {
		return err
	}
	sum.Scores = &r
	return nil
}

// cells are a run's row in the table of runs.
func (sum runSummary) cells() []string {
	loss := "-"
	if sum.EvalLoss != nil {
		loss = fmt.Sprintf("%.4f", *sum.EvalLoss)
	}
	var scores []string
	if sum.Scores != nil {
		for _, name := range slices.Sorted(maps.Keys(sum.Scores.Metrics)) {
			scores = append(scores, fmt.Sprintf("%s %.1f", name, sum.Scores.Metrics[name]))
		}
	}
	return []string{
		filepath.Base(sum.Dir), string(sum.Status), sum.Started.Local().Format("2006-01-02 15:04"), sum.took(),
		sum.Base, sum.Method, ui.Count(sum.Steps), loss, strings.Join(scores, ", "),
	}
}

// took is how long the run has worked.
func (sum runSummary) took() string {
	return ui.Duration(time.Duration(sum.Seconds * float64(time.Second)))
}

// shownRun is a run with all that run.json says.
type shownRun struct {
	runSummary
	Info run.Info `json:"info"`
}

// print is one screen for a person.
func (r shownRun) print(w io.Writer) error {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-10s%s\n", name, ui.EscapeLine(fmt.Sprintf(format, args...)))
	}
	line("run", "%s", r.Dir)
	line("status", "%s, started %s, took %s", r.Status, r.Started.Local().Format(time.DateTime), r.took())
	if len(r.Info.Command) > 0 {
		line("command", "%s", strings.Join(r.Info.Command, " "))
	}
	line("base", "%s", orDash(r.Base))
	line("method", "%s", orDash(r.Method))
	line("steps", "%s", ui.Count(r.Steps))
	if r.EvalLoss != nil {
		before := ""
		if r.BaseLoss != nil {
			before = fmt.Sprintf(", base %.4f", *r.BaseLoss)
		}
		line("eval loss", "%.4f at step %d%s", *r.EvalLoss, r.BestStep, before)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Info.Sizes)) {
		line("size", "%s %s", name, ui.Count(r.Info.Sizes[name]))
	}
	for _, name := range slices.Sorted(maps.Keys(r.Info.Seeds)) {
		line("seed", "%s %d", name, r.Info.Seeds[name])
	}
	m, build := r.Info.Machine, r.Info.Build
	line("machine", "%s/%s, %d CPUs, %d threads, %s", m.OS, m.Arch, m.CPUs, m.Threads, orDash(m.Backend))
	line("build", "ft %s, commit %s, %s", build.Version, orDash(build.Commit), build.Go)
	for _, f := range r.Info.Files {
		line("file", "%s, %s, sha256 %.12s…", f.Path, ui.Bytes(f.Bytes), f.SHA256)
	}
	if r.Scores != nil {
		b.WriteString("\n" + ui.Escape(r.Scores.Table()))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
