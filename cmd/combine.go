package cmd

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"ft/base"
	"ft/internal/ui"
	"ft/lora"
	"ft/lora/arith"
	"ft/peft"
)

// arithFlags are the flags of ft merge that calculate with adapters.
type arithFlags struct {
	adapters          []string
	weights           []float64
	combine, majority string
	density, scale    float64
	rank              int
	seed              uint64
	asked             bool // one of the flags was given, or there are several adapters
}

func (o *arithFlags) register(c *cobra.Command) {
	f := c.Flags()
	f.StringArrayVar(&o.adapters, "adapter", nil, "adapter directory, or a run directory, meaning its best adapter; may be repeated")
	f.Float64SliceVar(&o.weights, "weight", nil, "weight of each --adapter, in their order, may be negative (default: 1 each)")
	f.StringVar(&o.combine, "combine", "", "how adapters are combined: "+strings.Join(arith.Combinations(), ", ")+" (default: cat, the exact sum; svd with --rank)")
	f.Float64Var(&o.density, "density", 0, "share of values that ties, magnitude_prune and dare keep, such as 0.5")
	f.StringVar(&o.majority, "majority", "", "how ties elects signs: total of the values or frequency of the signs (default: total)")
	f.Uint64Var(&o.seed, "seed", 42, "seed of what dare drops")
	f.IntVar(&o.rank, "rank", 0, "rank of the result of an svd, or of --from (default: the largest of the adapters')")
	f.Float64Var(&o.scale, "scale", 1, "factor on the whole contribution")
}

// check finds wrong flags.
func (o *arithFlags) check(c *cobra.Command) error {
	for _, name := range []string{"weight", "combine", "density", "majority", "seed", "rank", "scale"} {
		o.asked = o.asked || c.Flags().Changed(name)
	}
	o.asked = o.asked || len(o.adapters) > 1
	if n := len(o.weights); n > 0 && n != len(o.adapters) {
		return fmt.Errorf("--weight: %d weights for %d adapters; give one for each --adapter, or none", n, len(o.adapters))
	}
	if o.scale-o.scale != 0 || o.scale == 0 {
		return fmt.Errorf("--scale: must be a number other than 0, got %v", o.scale)
	}
	if c.Flags().Changed("rank") && o.rank < 1 {
		return fmt.Errorf("--rank: must be 1 or more, got %d", o.rank)
	}
	return o.options().Check()
}

func (o *arithFlags) options() arith.Options {
	how := "cat"
	if o.rank > 0 {
		how = "svd"
	}
	return arith.Options{Combine: cmp.Or(o.combine, how), Rank: o.rank, Density: o.density, Majority: o.majority, Seed: o.seed}
}

// calculate combines the adapters. basePath is the base for adapters that cannot be read without one; it may be empty.
func (o *arithFlags) calculate(basePath string, s ui.Streams) (*arith.Result, peft.Meta, error) {
	var inputs []arith.Input
	var meta peft.Meta
	for i, path := range o.adapters {
		if dir := wholeModel(path); dir != "" {
			return nil, meta, fmt.Errorf("%s is a whole model and no adapter; ft merge --from %s makes one of it", path, dir)
		}
		saved, err := peft.Load(adapterDir(path))
		if err != nil {
			return nil, meta, err
		}
		if i == 0 {
			meta = saved.Meta
		} else if err := sameOrigin(&meta, saved.Meta, o.adapters[0], path, s); err != nil {
			return nil, meta, err
		}
		if saved, err = plain(saved, basePath); err != nil {
			return nil, meta, err
		}
		in := arith.Input{Name: path, Weight: o.scale}
		if len(o.weights) > 0 {
			in.Weight *= o.weights[i]
		}
		if in.Pairs, err = lora.Pairs(saved); err != nil {
			return nil, meta, err
		}
		inputs = append(inputs, in)
	}
	r, err := arith.Combine(inputs, o.options())
	return r, meta, err
}

// sameOrigin refuses adapters of different bases, as far as their files tell, and completes what the first one says.
func sameOrigin(meta *peft.Meta, other peft.Meta, first, path string, s ui.Streams) error {
	if meta.BaseHash != "" && other.BaseHash != "" && meta.BaseHash != other.BaseHash {
		return fmt.Errorf("%s was trained on %s and %s on %s, which are different models: their sum would make no sense", first, meta.Base, path, other.Base)
	}
	if meta.Base != "" && other.Base != "" && meta.Base != other.Base && (meta.BaseHash == "" || other.BaseHash == "") {
		s.Warn("%s names the base %s and %s names %s; if they are different models, the result makes no sense", first, meta.Base, path, other.Base)
	}
	if meta.Foreign {
		meta.Template, meta.System, meta.Foreign = other.Template, other.System, other.Foreign
	}
	if !other.Foreign && (meta.Template != other.Template || meta.System != other.System) {
		s.Warn("%s and %s were trained with different chat templates or system texts; the result has those of %s", first, path, first)
	}
	meta.Base, meta.BaseHash = cmp.Or(meta.Base, other.Base), cmp.Or(meta.BaseHash, other.BaseHash)
	return nil
}

// plain is a saved adapter that goes with the base as it is: one of PiSSA or OLoRA that goes with the rest of its base is
// converted, for which the base is read.
func plain(saved *peft.Saved, basePath string) (*peft.Saved, error) {
	with, err := lora.Unconverted(saved)
	if err != nil || !with {
		return saved, err
	}
	path := cmp.Or(basePath, saved.Meta.Base)
	if path == "" {
		return nil, usageError{fmt.Errorf("%s goes with a changed base (PiSSA or OLoRA): give the base with --base", saved.Dir)}
	}
	b, err := base.Open(path, families)
	if err != nil {
		return nil, err
	}
	defer b.Close()
	a, err := lora.Load(b.Model, saved)
	if err != nil {
		return nil, err
	}
	state, err := a.State()
	if err != nil {
		return nil, err
	}
	return state.Saved(saved.Dir, saved.Meta)
}

// openStacked is openModel for adapters to be used at once: their exact sum, as PEFT's set_adapter takes several.
func openStacked(paths []string, basePath string, s ui.Streams) (*session, error) {
	switch len(paths) {
	case 0:
		return openModel(basePath, "")
	case 1:
		return openModel(basePath, paths[0])
	}
	o := arithFlags{adapters: paths, scale: 1}
	r, meta, err := o.calculate(basePath, s)
	if err != nil {
		return nil, err
	}
	saved, err := r.State().Saved(strings.Join(paths, " + "), meta)
	if err != nil {
		return nil, err
	}
	return openSaved(basePath, saved)
}

// extract is the adapter that leads from the model at basePath to the one at path.
func extract(basePath, path string, rank int) (*arith.Result, peft.Meta, error) {
	from, err := base.Open(basePath, families)
	if err != nil {
		return nil, peft.Meta{}, err
	}
	defer from.Close()
	to, err := base.Open(cmp.Or(wholeModel(path), path), families)
	if err != nil {
		return nil, peft.Meta{}, err
	}
	defer to.Close()
	files, err := hashFiles(from.Files)
	if err != nil {
		return nil, peft.Meta{}, err
	}
	r, err := arith.Extract(from.Model, to.Model, rank)
	if err != nil {
		return nil, peft.Meta{}, fmt.Errorf("%s and %s: %w", basePath, path, err)
	}
	return r, peft.Meta{Base: basePath, BaseHash: baseHash(files), Template: to.Chat.Source}, nil
}

// calculated is what ft merge prints of an adapter that it wrote.
type calculated struct {
	Out     string         `json:"out"`
	Rank    int            `json:"rank"`
	Modules int            `json:"modules"`
	Bytes   int64          `json:"bytes"`
	Error   float64        `json:"error"` // Frobenius norm of what the rank cut off, relative to the whole
	Errors  []arith.Module `json:"errors,omitempty"`
	Others  []string       `json:"others,omitempty"`
}

// writeAdapter saves a calculated adapter and tells what it is.
func writeAdapter(out string, json bool, r *arith.Result, meta peft.Meta, s ui.Streams) error {
	if err := peft.Save(out, r.State(), meta); err != nil {
		return err
	}
	tellErrors(r, s)
	c := calculated{Out: out, Rank: r.Rank, Modules: len(r.Pairs), Bytes: sizeOf(out), Error: r.Error, Errors: r.Modules, Others: r.Others}
	if json {
		return writeJSON(s.Out, c)
	}
	_, err := fmt.Fprintf(s.Out, "%s  LoRA adapter, rank %d, %d modules, %s\n", ui.EscapeLine(out), c.Rank, c.Modules, ui.Bytes(c.Bytes))
	return err
}

// tellErrors says what was cut off: in all, and in detail by module; and what an extraction leaves out.
func tellErrors(r *arith.Result, s ui.Streams) {
	worst := arith.Module{}
	for _, m := range r.Modules {
		s.Detail("%s  rank %d, %.3g %% cut off", m.Path, m.Rank, 100*m.Error)
		if m.Error >= worst.Error {
			worst = m
		}
	}
	if len(r.Modules) > 0 {
		s.Note("rank %d cuts off %.3g %% of the change (relative Frobenius norm), at most %.3g %% in %s", r.Rank, 100*r.Error, 100*worst.Error, worst.Path)
	}
	if n := len(r.Others); n > 0 {
		s.Warn("%d tensors differ that a LoRA adapter has no place for, the first is %s: the adapter leads only to the rest of the model", n, r.Others[0])
	}
}

// checkAdapterOut refuses a place that is taken by something else than an adapter that may be replaced.
func checkAdapterOut(out string, force bool) error {
	entries, err := os.ReadDir(out)
	switch {
	case errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0:
		return nil
	case err != nil:
		return fmt.Errorf("--out-adapter %s: not a directory", out)
	case !force:
		return fmt.Errorf("%s exists; choose another --out-adapter, or replace it with --force", out)
	}
	if _, err := os.Stat(filepath.Join(out, peft.ConfigFile)); err != nil {
		return fmt.Errorf("--out-adapter %s is a directory without %s, so no adapter to replace; remove it yourself", out, peft.ConfigFile)
	}
	return nil
}
