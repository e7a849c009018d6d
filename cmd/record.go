package cmd

import (
	"slices"

	"ft/internal/kernels"
	"ft/internal/run"
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
	}
	t.meta = peft.Meta{Template: t.session.base.Chat.Source, System: c.Data.System, Base: c.Base}
	return t.run.Save()
}

// follow writes the split and hashes the run's files while it trains; noteInputs has the outcome.
func (t *training) follow() {
	paths := slices.Clone(t.config.Data.Files)
	if m := t.config.Data.Split.Manifest; m != "" {
		paths = append(paths, m)
	}
	paths = append(paths, t.extras.files()...)
	t.inputs = make(chan inputs, 1)
	split, base := t.data.Split, t.session.base.Files
	t.background.Go(func() {
		var in inputs
		if in.err = t.run.WriteFile(run.SplitFile, split); in.err == nil {
			in.base, in.err = hashFiles(base)
		}
		if in.err == nil {
			in.rows, in.err = hashFiles(paths)
		}
		t.inputs <- in
	})
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
