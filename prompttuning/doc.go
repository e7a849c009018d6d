// Package prompttuning trains soft prompts: virtual positions in front of every sequence of a frozen model. Its three kinds are those of
// Hugging Face PEFT, in numbers and in their files.
//
//   - prompt tuning (Lester et al. 2021, arXiv:2104.08691) trains the embeddings of n virtual tokens, [n,D];
//   - prefix tuning (Li and Liang 2021, arXiv:2101.00190) trains n keys and values of each block, [n, 2·blocks·K·HeadDim], directly or as the
//     output of a small network with one hidden layer;
//   - P-tuning (Liu et al. 2021, arXiv:2103.10385) trains the embeddings of n virtual tokens as the output of a network: an MLP, or a bidirectional LSTM
//     with an MLP behind it.
//
// Virtual positions come first and count in the model's context; nothing is predicted at them. A network exists while it is trained: what is
// saved is its output, so an adapter that was loaded trains that output itself. There is no merging into a base's weights.
package prompttuning
