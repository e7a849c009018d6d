package dataset

// Ignore marks a position without a label.
const Ignore int32 = -100

// Sample is one tokenized question and answer.
type Sample struct {
	ID     string
	Key    uint64  // identity for counter-based dropout, from the id
	IDs    []int32 // [T] token ids
	Labels []int32 // [T] not shifted: Labels[i] is IDs[i] where it counts in the loss, else Ignore
	Prompt int     // number of leading tokens that are the prompt
}

// Batch is one packed forward pass: samples one after the other, without padding. Attention stays inside
// a sample and positions start at 0 in each.
type Batch struct {
	IDs    []int32  // [T]
	Labels []int32  // [T] shifted: Labels[i] is the token that position i must predict, or Ignore
	Starts []int32  // [S+1] sample s is tokens Starts[s] to Starts[s+1]
	Keys   []uint64 // [S] Sample.Key
}

// Tokens is the number of tokens in the pass.
func (b *Batch) Tokens() int { return len(b.IDs) }

// LabelTokens is the number of positions that count in the loss.
func (b *Batch) LabelTokens() int {
	n := 0
	for _, l := range b.Labels {
		if l != Ignore {
			n++
		}
	}
	return n
}

// Pack puts samples into one pass, in order.
func Pack(samples []Sample) Batch {
	var b Batch
	b.Starts = append(b.Starts, 0)
	for _, s := range samples {
		b.IDs = append(b.IDs, s.IDs...)
		if len(s.IDs) > 0 {
			b.Labels = append(b.Labels, s.Labels[1:]...)
			b.Labels = append(b.Labels, Ignore)
		}
		b.Starts = append(b.Starts, int32(len(b.IDs)))
		b.Keys = append(b.Keys, s.Key)
	}
	return b
}
