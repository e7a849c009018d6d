// Package review lets people judge a run's answers blind: base and tuned answer to one question side by side, nobody told which is
// which.
//
//	predictions-base.jsonl, predictions.jsonl (Load) → Pairs
//	Server → a page on this machine → votes.jsonl, a line a vote, on the disk before the next question is shown
//	Summarise(pairs, votes) → win rate, intervals, ratings, agreement
//
// The order of the questions and the sides of the answers are functions of (seed, reader, question), so that a restart goes on where it
// stopped. Which side is the tuned model's is decided and resolved in this process; the page hears "left" and "right" alone.
package review
