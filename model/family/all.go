package family

import "ft/model"

// All are the families that ft knows. A new one is one line here.
var All = []*model.Family{
	&Llama,
	&Mistral,
	&Qwen2,
	&Qwen3,
	&Gemma2,
	&Gemma3,
	&Phi3,
	&GPT2,
	&Granite,
	&Olmo2,
	&SmolLM3,
}

// Of is the family of a model_type, nil if ft has none.
func Of(modelType string) *model.Family {
	for _, f := range All {
		if f.Is(modelType) {
			return f
		}
	}
	return nil
}
