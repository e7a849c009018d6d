package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ft/internal/kernels"
	"ft/internal/ui"
)

// benchFlags are the flags of ft bench.
type benchFlags struct {
	base    string
	parts   []string
	seconds float64
	json    bool
}

func newBenchCmd(s *ui.Streams) *cobra.Command {
	var o benchFlags
	c := &cobra.Command{
		Use:   "bench --base BASE",
		Short: "Measure what this machine gives: matrix products, decoding, training on a base",
		Long: `Measure what this machine gives with a base: the rate of matrix products in the base's own shapes, forward and backward;
reading a prompt and decoding; training LoRA of rank 16 on all linear layers, with the memory that it takes.

Token ids are random, weights are the base's, and nothing is zero. Rates of products are the best of several, all others are
medians. Other work on the machine lowers them; --cpu and --threads choose what is measured.`,
		Example: `  ft bench --base model.gguf
  ft bench --base model.gguf --cpu avx2 --json`,
		Args: cobra.NoArgs,
		PreRunE: func(*cobra.Command, []string) error {
			switch {
			case o.base == "":
				return errors.New("--base is needed: a directory or a .gguf file")
			case slices.ContainsFunc(o.parts, func(p string) bool { return !slices.Contains(benchParts, p) }):
				return fmt.Errorf("--parts: have %s, got %s", strings.Join(benchParts, ", "), strings.Join(o.parts, ", "))
			case !(o.seconds > 0):
				return fmt.Errorf("--seconds: must be above 0, got %v", o.seconds)
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error { return o.run(c.Context(), s) },
	}
	f := c.Flags()
	f.StringVar(&o.base, "base", "", "the base model: a directory or a .gguf file")
	f.StringSliceVar(&o.parts, "parts", benchParts, "what to measure, separated by commas")
	f.Float64Var(&o.seconds, "seconds", 30, "about how long to measure")
	f.BoolVar(&o.json, "json", false, "one JSON object on stdout")
	return c
}

// benchParts are what ft bench measures.
var benchParts = []string{"products", "prompt", "decode", "training"}

// benchResult is what ft bench tells.
type benchResult struct {
	Base     string         `json:"base"`
	Backend  string         `json:"backend"`
	Threads  int            `json:"threads"`
	Numbers  string         `json:"precision"`             // of products
	Peak     float64        `json:"peak_gflops,omitempty"` // of multiplications with operands in registers, where the backend has instructions
	Products []benchProduct `json:"products,omitempty"`
	Prompt   []benchRate    `json:"prompt,omitempty"`
	Decode   []benchRate    `json:"decode,omitempty"`
	Training []benchRate    `json:"training,omitempty"`
}

// benchRate is a rate in tokens per second.
type benchRate struct {
	Batch     int     `json:"batch,omitempty"`  // sequences side by side
	Tokens    int     `json:"tokens,omitempty"` // in a pass
	PerSecond float64 `json:"tokens_per_s"`
	// Peak is the process's largest resident memory so far, with the part of the weights file that was touched; Anonymous is the resident
	// memory beside mapped files right after. In bytes; 0 where the system does not tell.
	Peak      int64 `json:"peak_bytes,omitempty"`
	Anonymous int64 `json:"anonymous_bytes,omitempty"`
}

func (o *benchFlags) run(ctx context.Context, s *ui.Streams) error {
	session, err := openModel(o.base, "")
	if err != nil {
		return err
	}
	defer session.close()
	b := &bench{session: session, seconds: o.seconds, ids: newIDs(session.base.Model.Spec.Vocab)}
	r := benchResult{Base: o.base, Backend: kernels.Backend(), Threads: kernels.Threads(), Numbers: session.base.Model.Precision().String()}
	spec := session.base.Model.Spec
	s.Note("base     %s: %s, %d layers, width %d, %s parameters", o.base, session.base.Family.ModelType, spec.Layers, spec.Dim, ui.Count(session.base.Model.Size()))
	s.Note("backend  %s, products in %s, %d threads", r.Backend, r.Numbers, r.Threads)
	for _, part := range benchParts {
		if !slices.Contains(o.parts, part) {
			continue
		}
		s.Detail("measuring: %s", part)
		switch part {
		case "products":
			if r.Peak = kernels.Peak(session.base.Model.Precision()); r.Peak > 0 {
				s.Note("peak     %.0f GFLOP/s, with operands in registers", r.Peak)
			}
			r.Products, err = b.products(ctx)
		case "prompt":
			r.Prompt, err = b.prompt(ctx)
		case "decode":
			r.Decode, err = b.decode(ctx)
		case "training":
			r.Training, err = b.training(ctx)
		}
		if err != nil {
			return err
		}
	}
	if o.json {
		return writeJSON(s.Out, r)
	}
	return r.print(s.Out)
}

// print writes r for a person.
func (r *benchResult) print(w io.Writer) error {
	var rows [][]string
	for _, p := range r.Products {
		rows = append(rows, []string{
			strings.Join(p.Layers, ", "), fmt.Sprintf("%d x %d", p.Out, p.In), p.Type, ui.Count(p.Tokens),
			fmt.Sprintf("%.0f", p.Forward), fmt.Sprintf("%.0f", p.Backward),
		})
	}
	if len(rows) > 0 {
		if err := ui.Table(w, []string{"layers", "weight", "type", "tokens", "forward GFLOP/s", "backward GFLOP/s"}, rows); err != nil {
			return err
		}
		fmt.Fprintln(w)
	}
	rows = nil
	add := func(rates []benchRate, what func(benchRate) string) {
		for _, x := range rates {
			row := []string{what(x), fmt.Sprintf("%.0f", x.PerSecond)}
			if x.Peak > 0 {
				row = append(row, ui.Bytes(x.Peak), ui.Bytes(x.Anonymous))
			}
			rows = append(rows, row)
		}
	}
	add(r.Prompt, func(x benchRate) string { return fmt.Sprintf("prompt of %d tokens", x.Tokens) })
	add(r.Decode, func(x benchRate) string { return fmt.Sprintf("decoding, batch %d", x.Batch) })
	add(r.Training, func(x benchRate) string {
		return fmt.Sprintf("training LoRA, %d x %d tokens a pass", x.Batch, x.Tokens/x.Batch)
	})
	if len(rows) == 0 {
		return nil
	}
	return ui.Table(w, []string{"", "tokens/s", "peak memory", "beside files"}, rows)
}

// bench measures one base.
type bench struct {
	session *session
	seconds float64 // for all of it
	ids     *ids
}

// repeat runs f once to warm up, then for about share of the time, at least once, and returns the seconds that it took, the shortest
// first.
func (b *bench) repeat(ctx context.Context, share float64, f func() error) ([]float64, error) {
	if err := f(); err != nil {
		return nil, err
	}
	var taken []float64
	for begin := time.Now(); len(taken) == 0 || time.Since(begin).Seconds() < share*b.seconds; {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		at := time.Now()
		if err := f(); err != nil {
			return nil, err
		}
		taken = append(taken, max(time.Since(at).Seconds(), 1e-9)) // a coarse clock may stand still
	}
	slices.Sort(taken)
	return taken, nil
}

// median is the middle of sorted values.
func median(v []float64) float64 { return v[len(v)/2] }
