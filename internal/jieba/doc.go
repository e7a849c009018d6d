// Package jieba cuts Chinese text into words, exactly as the Python program jieba 0.42.1 does in its default mode (accurate, with
// its hidden Markov model).
//
//	text → runs of Han, ASCII letters, digits and + # & . _ % -; everything else is a word by character
//	run  → all dictionary words in it (model.bin: a trie) → the most probable path through them
//	     → neighbouring single characters that are left over → words by the Viterbi algorithm
//
// model.bin holds jieba's dictionary and probabilities (MIT licence, see NOTICE). It is made by
//
//	go run ./internal/jieba/_pack -jieba DIR
//
// from the folder of jieba's Python package, and read when the first Cutter is made.
package jieba
