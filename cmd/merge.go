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
	"ft/merge"
	"ft/trainer"
)

func newMergeCmd(s *ui.Streams) *cobra.Command {
	var o mergeFlags
	c := &cobra.Command{
		Use:   "merge --adapter ADAPTER --out OUT",
		Short: "Write base and adapter as one standalone model, and prove it",
		Long: `Write base and adapter as one standalone model: a .gguf file with tokenizer and chat template inside, or a Hugging Face
directory. Weights are changed in float32 and rounded once. Then the result is read back: every value is checked, every
targeted tensor must have changed, and its logits on prompts are compared with those of base and adapter.`,
		Example: `  ft merge --adapter runs/latest --out med.gguf
  ft merge --adapter runs/latest --out med-hf --type bf16
  ft merge --adapter some/peft/adapter --base model.gguf --out merged.gguf --type q8_0`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return o.run(c.Context(), *s) },
	}
	f := c.Flags()
	f.StringVar(&o.adapter, "adapter", "", "adapter directory, or a run directory, meaning its best adapter")
	f.StringVar(&o.base, "base", "", "base model (default: the one the adapter was trained on)")
	f.StringVar(&o.out, "out", "", "the .gguf file or directory to write")
	f.StringVar(&o.typ, "type", "", "number type of the weights: f32, f16, bf16, q8_0 (default: the base's, f16 if that cannot be written)")
	f.BoolVar(&o.force, "force", false, "replace what is at --out")
	f.BoolVar(&o.json, "json", false, "one JSON object on stdout")
	return c
}

type mergeFlags struct {
	adapter, base, out, typ string
	force, json             bool
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
	if o.adapter == "" || o.out == "" {
		return usageError{errors.New("--adapter and --out are needed: ft merge --adapter ADAPTER --out model.gguf")}
	}
	want, err := o.quantType()
	if err != nil {
		return err
	}
	session, err := openModel(o.base, o.adapter)
	if err != nil {
		return err
	}
	defer session.close()
	if a, ok := session.adapter.(unmergeable); ok {
		return usageError{fmt.Errorf("%s: %w", o.adapter, a.CannotMerge())}
	}
	if other, err := session.otherBase(); err != nil {
		return err
	} else if other != "" {
		s.Warn("%s", other)
	}
	m := merge.Options{Base: session.base, Adapter: session.adapter, Out: o.out, Type: want, Force: o.force}
	if o.typ == "" {
		m.Type = merge.DefaultType(session.base, o.out)
	}
	prompts, err := session.proofPrompts(o.adapter)
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
	_, err := fmt.Fprintf(s.Out, `%s  %s, %s
changed tensors  %d of %d targeted, %s values, each the exact one rounded once
logits           differ by at most %.3g over %d positions (bound %.3g, largest logit %.1f)
`, ui.EscapeLine(m.Out), m.Type, ui.Bytes(m.Bytes), m.Changed, m.Targets, ui.Count(m.Elements), m.MaxDiff, m.Positions, m.Bound, m.MaxLogit)
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
	if filepath.Base(filepath.Clean(dir)) == run.AdapterDir {
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
