// Package eval scores predictions against references.
//
//	rows (ReadPredictions, or a model's answers) → []Pair
//	"bleu,rouge:stem" (Parse)                    → []Metric
//	Evaluate(metrics, pairs)                     → *Result → JSON, or Table for people
//
// A metric takes a few numbers from each pair, and its scores are a function of their sums (Stats): float64, no randomness, the
// same bits on every run and with any number of threads.
// Scores are percent and not rounded. To add one, write its file and add a line to the table in
// metrics.go.
package eval
