// Package profile measures where a run's time goes, stage by stage, for `ft lora --profile`. Code that does a
// stage's work says so with Start, Then and Stop; while profiling is off that costs one atomic load.
//
// Stages are exclusive: one that begins inside another one, such as attention inside an evaluation, counts as the
// outer one. They are told by the goroutine that drives the run; work that runs beside it is not a stage.
package profile

import (
	"sync/atomic"
	"time"
)

// Stage is a part of a run.
type Stage uint8

// The stages, in the order of a run; names ending in Back are backward passes.
const (
	Data      Stage = iota // reading, cleaning and splitting rows, or finding them in the cache
	BaseLoad               // opening the base, tokenizer included
	Tokenize               // rows to token ids
	Attach                 // making the adapter
	Embedding              // token ids to the residual stream
	QKV                    // norm, query, key and value projections, rotary positions
	QKVBack
	Attention // scores, softmax, mixing of values
	AttnBack
	Project // output projection of attention, residual
	ProjectBack
	MLP // norm, gate, up, activation, down, residual
	MLPBack
	Head       // final norm, logits, loss, and their gradient
	Optimizer  // clipping and AdamW
	Evaluation // losses over the validation part
	Answers    // generating and scoring answers
	Saving     // adapters and records
	stages
)

var names = [stages]string{
	"data", "base load", "tokenize", "attach", "embedding", "norm+qkv", "norm+qkv backward", "attention", "attention backward",
	"project", "project backward", "mlp", "mlp backward", "head+loss", "optimizer", "evaluation", "answers", "saving",
}

var (
	begin atomic.Int64 // when Enable was called, 0 while off; in nanoseconds since epoch
	open  atomic.Int32 // spans under way
	spent [stages]atomic.Int64
	calls [stages]atomic.Int64
)

var epoch = time.Now()

func now() int64 { return int64(time.Since(epoch)) }

// Enable starts measuring; what was measured before is forgotten.
func Enable() {
	for i := range spent {
		spent[i].Store(0)
		calls[i].Store(0)
	}
	open.Store(0)
	begin.Store(max(now(), 1))
}

// Disable stops measuring.
func Disable() { begin.Store(0) }

// Span is a stage under way. The zero Span is none.
type Span struct {
	stage Stage
	open  bool  // it counts in open
	from  int64 // 0 inside another span
}

// Start begins a stage. Every Span needs one Stop, or one Then.
func Start(s Stage) Span {
	if begin.Load() == 0 {
		return Span{}
	}
	if open.Add(1) > 1 {
		return Span{open: true}
	}
	return Span{stage: s, open: true, from: max(now(), 1)}
}

// Then ends the stage and begins the next one.
func (s Span) Then(next Stage) Span {
	s.Stop()
	return Start(next)
}

// Stop ends the stage.
func (s Span) Stop() {
	if !s.open {
		return
	}
	open.Add(-1)
	if s.from > 0 {
		spent[s.stage].Add(now() - s.from)
		calls[s.stage].Add(1)
	}
}

// Row is what was measured of one stage.
type Row struct {
	Stage   string  `json:"stage"`
	Calls   int64   `json:"calls"`
	Seconds float64 `json:"seconds"`
	Share   float64 `json:"share"` // of the time since Enable, 0 to 1
}

// Read returns the stages that took part, in the order of a run, then "other", the rest of the time since Enable.
func Read() []Row {
	from := begin.Load()
	if from == 0 {
		return nil
	}
	total := float64(now()-from) / 1e9
	rest := total
	var rows []Row
	for s, name := range names {
		n := calls[s].Load()
		if n == 0 {
			continue
		}
		seconds := float64(spent[s].Load()) / 1e9
		rest -= seconds
		rows = append(rows, Row{name, n, seconds, seconds / total})
	}
	return append(rows, Row{Stage: "other", Seconds: max(rest, 0), Share: max(rest, 0) / total})
}
