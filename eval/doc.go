// Package eval scores predictions against references.
//
//	rows (ReadPredictions, or a model's answers) → []Pair
//	"bleu,rouge:stem" (Parse)                    → []Metric
//	Evaluate(metrics, pairs)                     → *Result
//	Result.Intervals, or Against the base's      → *Result with 95 % intervals and verdicts → JSON, or Table for people
//
// A metric takes a few numbers from each pair, and its scores are a function of their sums (Stats): float64, the same bits on every
// run and with any number of threads. So rows can be drawn again (Bootstrap) without reading a text twice.
// Scores are not rounded, and percent where their signature does not say percent:no. To add one, write its file and add a line to the table in
// metrics.go.
package eval
