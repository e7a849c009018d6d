// Package eval scores predictions against references.
//
//	rows (ReadPredictions, or a model's answers) → []Pair
//	"bleu,rouge:stem" (Parse)                    → []Metric
//	Evaluate(metrics, pairs)                     → *Result → JSON, or Table for people
//
// A metric is a pure function of its pairs: float64, no randomness, the same bits on every run.
// Scores are percent and not rounded. To add one, write its file and add a line to the table in
// metrics.go.
package eval
