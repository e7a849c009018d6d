package pefttest

// reference is train.json.
type reference struct {
	Model, Method string
	Optimizer     struct {
		Betas       [2]float64
		Eps         float64
		WeightDecay float64 `json:"weight_decay"`
		Clip        float64
	}
	Batches     [][]sequence
	BatchOfStep []int   `json:"batch_of_step"`
	GradsBatch  int     `json:"grads_batch"`
	GradsLoss   float64 `json:"grads_loss"`
	GradsNorm   float64 `json:"grads_norm"`
	LRs         []float64
	LRFactor    map[string]float64 `json:"lr_factor"`
	Losses      []float64
	GradNorms   []float64 `json:"grad_norms"`
	Final       struct {
		IDs        []int32 `json:"input_ids"`
		LogitsFrom int32   `json:"logits_from"`
		Logits     [][]float64
		Greedy     []int32
	}
	Merged struct {
		Last []float64 `json:"last_logits"`
	}
	Shadow struct {
		Noisy map[string]any `json:"noisy_tensors"`
	} `json:"float64_shadow"`
}

// sequence is one row of a reference batch.
type sequence struct {
	IDs    []int32 `json:"input_ids"`
	Labels []int32 `json:"labels"`
}
