// Package tokenizer turns text into token ids and back, exactly as the tokenizer a model was trained
// with does. It reads Hugging Face's tokenizer.json and the vocabulary inside a GGUF file, both with
// BPE models: byte-level (GPT-2, Llama 3, Qwen, ...) and SentencePiece-like with byte fallback (Llama 2, Gemma); and
// Unigram models of tokenizer.json (T5, XLM-R).
//
//	text ─ added tokens cut out ─ normalizer ─ pre-tokenizer ─ model ─ post-processor → ids
//	ids ─ token strings ─ decoder → text
//
// Nothing is approximated: a model type, pipeline step or option that is not implemented is refused by
// its name when the file is loaded. Refused model types: WordPiece, WordLevel.
//
// The behaviour follows Hugging Face tokenizers 0.23 for tokenizer.json, and llama.cpp for GGUF, with
// these deviations: "truncation" and "padding" of a tokenizer.json are ignored, as transformers
// does unless told otherwise; GGUF vocabularies use the pre-tokenizer regexes of the original
// tokenizers where llama.cpp rewrote them for its own engine; added tokens that overlap are
// matched leftmost-longest for both sources; StripAccents knows the marks of today's Unicode, the reference those of Unicode 10; and Unigram
// models need an unk_id.
package tokenizer
