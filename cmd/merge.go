package cmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"ft/dataset"
	"ft/internal/quant"
	"ft/internal/run"
	"ft/internal/ui"
	"ft/lora/arith"
	"ft/merge"
	"ft/peft"
	"ft/trainer"
)

func newMergeCmd(s *ui.Streams) *cobra.Command {
	var o mergeFlags
	c := &cobra.Command{
		Use:   "merge --adapter ADAPTER (--out MODEL | --out-adapter DIR)",
		Short: "Write base and adapter as one standalone model, and prove it",
		Long: `Write base and adapter as one standalone model: a .gguf file with tokenizer and chat template inside, or a Hugging Face
directory. Weights are changed in float32 and rounded once. Then the result is read back: every value is checked, every
targeted tensor must have changed, and its logits on prompts are compared with those of base and adapter.

Several LoRA adapters are combined first: into their exact sum (cat, as if all were on at once) or in another of the ways of
PEFT's add_weighted_adapter, with --weight for each. --rank cuts to a lower rank, --scale makes the contribution weaker or
stronger. With --out-adapter the outcome is an adapter and not a model: then no base is needed.

--from extracts: the LoRA adapter of the given --rank that leads from --base to a tuned model of the same shape. A run that trained
a whole model needs no merge: its model is converted to what --out and --type say.`,
		Example: `  ft merge --adapter runs/latest --out med.gguf
  ft merge --adapter runs/latest --out med-hf --type bf16
  ft merge --adapter some/peft/adapter --base model.gguf --out merged.gguf --type q8_0
  ft merge --adapter a --adapter b --weight 0.7 --weight 0.3 --combine ties --density 0.5 --out-adapter ab
  ft merge --adapter big --rank 8 --out-adapter small
  ft merge --from tuned-model --base base-model --rank 16 --out-adapter extracted`,
		Args:    cobra.NoArgs,
		PreRunE: func(c *cobra.Command, _ []string) error { return o.check(c) },
		RunE:    func(c *cobra.Command, _ []string) error { return o.run(c.Context(), *s) },
	}
	o.arithFlags.register(c)
	f := c.Flags()
	f.StringVar(&o.from, "from", "", "tuned model to extract an adapter from")
	f.StringVar(&o.outAdapter, "out-adapter", "", "the adapter directory to write, instead of a model")
	f.StringVar(&o.base, "base", "", "base model (default: the one the adapter was trained on)")
	f.StringVar(&o.out, "out", "", "the .gguf file or directory to write")
	f.StringVar(&o.typ, "type", "", "number type of the weights: f32, f16, bf16, q8_0 (default: the base's, f16 if that cannot be written)")
	f.BoolVar(&o.force, "force", false, "replace what is at --out")
	f.BoolVar(&o.json, "json", false, "one JSON object on stdout")
	return c
}

type mergeFlags struct {
	arithFlags
	from, base, out, outAdapter, typ string
	force, json                      bool
}

// unmergeable is an adapter that no merge can put into the base's weights.
type unmergeable interface {
	// CannotMerge says why, and what to do instead.
	CannotMerge() error
}

// merged is what `ft merge` prints.
type merged struct {
	Out   string `json:"out"`
	Type  string `json:"type"`
	Bytes int64  `json:"bytes"`
	*merge.Proof
}

func (o *mergeFlags) run(ctx context.Context, s ui.Streams) error {
	if o.outAdapter != "" {
		return o.toAdapter(s)
	}
	want, err := o.quantType()
	if err != nil {
		return err
	}
	session, err := o.open(s)
	if err != nil {
		return err
	}
	defer session.close()
	if a, ok := session.adapter.(unmergeable); ok {
		return usageError{fmt.Errorf("%s: %w", o.adapters[0], a.CannotMerge())}
	}
	if other, err := session.otherBase(); err != nil {
		return err
	} else if other != "" {
		s.Warn("%s", other)
	}
	if session.adapter == nil {
		s.Note("%s is a whole model already (%s): it is converted", o.adapters[0], session.base.Path)
	}
	m := merge.Options{Base: session.base, Adapter: session.adapter, Out: o.out, Type: want, Force: o.force}
	if o.typ == "" {
		m.Type = merge.DefaultType(session.base, o.out)
	}
	prompts, err := session.proofPrompts(o.adapters[0])
	if err != nil {
		return err
	}
	err = merge.Write(ctx, m)
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("%w: %s is not written", trainer.ErrInterrupted, o.out)
	}
	if err != nil {
		return err
	}
	s.Note("written  %s (%s); reading it back", o.out, m.Type)
	proof, err := merge.Prove(ctx, m, families, prompts)
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("%w: %s was written, but nothing is proven", trainer.ErrInterrupted, o.out)
	}
	if err != nil {
		return fmt.Errorf("%w\n%s was written, but do not use it", err, o.out)
	}
	return o.report(s, merged{Out: o.out, Type: m.Type.String(), Bytes: sizeOf(o.out), Proof: proof})
}

// check finds wrong flags.
func (o *mergeFlags) check(c *cobra.Command) error {
	switch {
	case o.from != "" && (len(o.adapters) > 0 || o.base == "" || o.rank < 1 || o.outAdapter == "" || o.out != ""):
		return errors.New("--from goes with --base, --rank and --out-adapter: ft merge --from TUNED --base BASE --rank 16 --out-adapter DIR")
	case o.from == "" && (len(o.adapters) == 0 || (o.out == "") == (o.outAdapter == "")):
		return errors.New("--adapter and one of --out and --out-adapter are needed: ft merge --adapter ADAPTER --out model.gguf")
	case o.outAdapter != "" && o.typ != "":
		return errors.New("--type is for --out: adapters are F32")
	}
	if o.from == "" {
		return o.arithFlags.check(c)
	}
	for _, name := range []string{"weight", "combine", "density", "majority", "seed", "scale"} {
		if c.Flags().Changed(name) {
			return fmt.Errorf("--%s is for --adapter, not for --from", name)
		}
	}
	return nil
}

// open opens the base with the adapter to merge, which is calculated if the flags ask for it.
func (o *mergeFlags) open(s ui.Streams) (*session, error) {
	if !o.asked {
		return openModel(o.base, o.adapters[0])
	}
	r, meta, err := o.calculate(o.base, s)
	if err != nil {
		return nil, err
	}
	tellErrors(r, s)
	saved, err := r.State().Saved(strings.Join(o.adapters, " + "), meta)
	if err != nil {
		return nil, err
	}
	return openSaved(o.base, saved)
}

// toAdapter writes an adapter instead of a model.
func (o *mergeFlags) toAdapter(s ui.Streams) error {
	if err := checkAdapterOut(o.outAdapter, o.force); err != nil {
		return err
	}
	var r *arith.Result
	var meta peft.Meta
	var err error
	if o.from != "" {
		r, meta, err = extract(o.base, o.from, o.rank)
	} else {
		r, meta, err = o.calculate(o.base, s)
	}
	if err != nil {
		return err
	}
	return writeAdapter(o.outAdapter, o.json, r, meta, s)
}

// quantType is the number type that --type names.
func (o *mergeFlags) quantType() (quant.Type, error) {
	var names []string
	for _, t := range merge.Types {
		if strings.EqualFold(o.typ, t.String()) {
			return t, nil
		}
		names = append(names, strings.ToLower(t.String()))
	}
	if o.typ == "" {
		return 0, nil
	}
	return 0, usageError{fmt.Errorf("--type: unknown type %q (have: %s)", o.typ, strings.Join(names, ", "))}
}

func (o *mergeFlags) report(s ui.Streams, m merged) error {
	if o.json {
		return writeJSON(s.Out, m)
	}
	fmt.Fprintf(s.Out, "%s  %s, %s\n", ui.EscapeLine(m.Out), m.Type, ui.Bytes(m.Bytes))
	if m.Targets > 0 {
		fmt.Fprintf(s.Out, "changed tensors  %d of %d targeted, %s values, each the exact one rounded once\n", m.Changed, m.Targets, ui.Count(m.Elements))
	}
	_, err := fmt.Fprintf(s.Out, "logits           differ by at most %.3g over %d positions (bound %.3g, largest logit %.1f)\n",
		m.MaxDiff, m.Positions, m.Bound, m.MaxLogit)
	return err
}

// proofQuestions are what the merged model is tried on when the adapter comes without a run.
var proofQuestions = []string{
	"What are the symptoms of high blood pressure?",
	"List three things that help against a common cold.",
	"Why is the sky blue? Answer in one sentence.",
	"高血压患者在饮食上要注意什么？",
}

// proofPromptCount is how many of a run's own prompts the merged model is tried on.
const proofPromptCount = 8

// proofPrompts are token ids to compare logits on: prompts with answers of the adapter's own run if it has one, else general questions.
func (s *session) proofPrompts(adapter string) ([][]int32, error) {
	if s.base.Tokenizer == nil {
		return s.proofIDs(), nil
	}
	// A base that cannot lay out a conversation can be merged all the same: then the questions are asked as they are.
	format, formatErr := s.base.Format()
	var prompts [][]int32
	for _, q := range runQuestions(adapter) {
		ids := s.base.Tokenizer.Encode(q, true)
		if formatErr == nil {
			var err error
			if ids, err = format.PromptIDs(dataset.Row{Messages: []dataset.Message{{Role: "user", Content: q}}}, s.meta.System); err != nil {
				return nil, err
			}
		}
		if n := s.base.Model.Spec.Context; len(ids) > n {
			ids = ids[:n]
		}
		if len(ids) > 0 {
			prompts = append(prompts, ids)
		}
	}
	return prompts, nil
}

// proofIDs are prompts for a base without a tokenizer: tokens from all over the vocabulary.
func (s *session) proofIDs() [][]int32 {
	const prompts, length, stride = 4, 24, 7919
	spec := s.base.Model.Spec
	out := make([][]int32, prompts)
	for i := range out {
		for j := range min(length, spec.Context) {
			out[i] = append(out[i], int32((i*length+j+1)*stride%spec.Vocab))
		}
	}
	return out
}

// runQuestions are the first questions that a run answered, or the general ones.
func runQuestions(adapter string) []string {
	dir := adapter
	if name := filepath.Base(filepath.Clean(dir)); name == run.AdapterDir || name == run.ModelDir {
		dir = filepath.Dir(filepath.Clean(dir))
	}
	data, err := os.ReadFile(filepath.Join(dir, run.PredictionsFile))
	if err != nil {
		return proofQuestions
	}
	var out []string
	for line := range strings.Lines(string(data)) {
		var p run.Prediction
		if json.Unmarshal([]byte(line), &p) == nil && p.Prompt != "" {
			out = append(out, p.Prompt)
		}
		if len(out) == proofPromptCount {
			break
		}
	}
	if len(out) == 0 {
		return proofQuestions
	}
	return out
}

// sizeOf is the size in bytes of a file, or of the files of a directory.
func sizeOf(path string) int64 {
	total := int64(0)
	filepath.WalkDir(path, func(_ string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if info, err := d.Info(); err == nil && info.Mode().IsRegular() {
			total += info.Size()
		}
		return nil
	})
	return total
}
