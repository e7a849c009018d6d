package cmd

import (
	"ft/dataset"
	"ft/internal/kernels"
	"ft/internal/run"
	"ft/internal/tokencache"
	"ft/optim"
	"ft/peft"
	"ft/trainer"
)

// record fills run.json with what is known before the first step: machine, seeds, sizes. The split and the hashes of all files that the run
// reads take longer and follow while it trains.
func (t *training) record(args []string) error {
	c, info := t.config, &t.run.Info
	info.Command = args
	info.Machine = run.ThisMachine(kernels.Backend(), kernels.Threads())
	info.Seeds = map[string]uint64{"train": c.Train.Seed, "split": c.Data.Split.Seed}
	info.Sizes = map[string]int64{
		"parameters": int64(t.session.base.Model.Size()), "trainable": int64(trainable(t.session.adapter)),
		"optimizer_bytes": int64(optim.AdamWBytes(trainable(t.session.adapter))),
		"train":           int64(t.data.Train.Len()), "val": int64(t.data.Val.Len()), "test": int64(t.data.Rows.Test),
		"rows": int64(t.data.Report.Rows), "rows_used": int64(t.data.Report.Kept),
	}
	if l := t.data.Report.Leaks; l != nil && l.Rows > 0 {
		info.Sizes["leaks"] = int64(l.Rows) // accepted: else there would be no run
	}
	t.meta = peft.Meta{Template: t.session.base.Chat.Source, System: c.Data.System, Base: c.Base}
	return t.run.Save()
}

// follow writes the split and the data report, and hashes the run's files while it trains; noteInputs has the outcome.
func (t *training) follow() {
	paths := append(inputPaths(t.data.Report, t.config.Data), t.extras.files()...)
	t.inputs = make(chan inputs, 1)
	data, base := t.data, t.session.base.Files
	t.background.Go(func() {
		var in inputs
		if in.err = t.run.Write(run.SplitFile, data.WriteSplit); in.err == nil {
			in.err = t.run.WriteJSON(run.DataFile, newRunData(data))
		}
		if in.err == nil {
			in.base, in.err = hashFiles(base)
		}
		if in.err == nil {
			in.rows, in.err = hashFiles(paths)
		}
		t.inputs <- in
	})
}

// runData is data.json: the report of the data, and the parts as training sees them.
type runData struct {
	*dataset.Report
	Parts map[string]partData `json:"parts"`
}

// partData is a part: its rows, and the samples that they became. The test part is answered and not tokenized beforehand.
type partData struct {
	Rows    int `json:"rows"`
	Samples int `json:"samples,omitempty"`
}

func newRunData(d *tokencache.Data) runData {
	return runData{d.Report, map[string]partData{
		"train": {d.Rows.Train, d.Train.Len()}, "val": {d.Rows.Val, d.Val.Len()}, "test": {Rows: d.Rows.Test},
	}}
}

// inputs are the files that a run reads.
type inputs struct {
	base, rows []run.File
	err        error
}

// noteInputs puts the hashes of the run's files into run.json, once they are there; with wait, it waits for them.
func (t *training) noteInputs(wait bool) error {
	if t.inputs == nil {
		return nil
	}
	var in inputs
	if wait {
		in = <-t.inputs
	} else {
		select {
		case in = <-t.inputs:
		default:
			return nil
		}
	}
	t.inputs = nil
	if in.err != nil {
		return in.err
	}
	if t.cache != nil {
		for _, f := range in.rows {
			if err := t.cache.Confirm(t.key, f.Path, f.SHA256); err != nil {
				return err
			}
		}
	}
	t.meta.BaseHash = baseHash(in.base)
	t.run.Info.Files = append(in.base, in.rows...)
	return t.run.Save()
}

// clerk notes the run's files as soon as their hashes are known.
type clerk struct{ t *training }

func (c clerk) Step(trainer.StepEvent) error { return c.t.noteInputs(false) }
func (c clerk) Eval(trainer.EvalEvent) error { return c.t.noteInputs(false) }
