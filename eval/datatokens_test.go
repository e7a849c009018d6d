package eval

import (
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestDataTokenizers_missing(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("SACREBLEU", dir)
	t.Setenv("MECAB_IPADIC", filepath.Join(dir, "ipadic"))
	t.Setenv("MECAB_KO_DIC", filepath.Join(dir, "ko"))
	for name, want := range map[string]string{
		"spm": "sacrebleu_tokenizer_spm.model", "flores101": "models", "flores200": "flores200sacrebleuspm", "spBLEU-1K": "spbleu-1k", "ja-mecab": "MECAB_IPADIC", "ko-mecab": "MECAB_KO_DIC",
	} {
		_, err := Parse("bleu:" + name)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: error %v, want %q and the place", name, err, want)
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, "models"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "models", "flores200sacrebleuspm"), []byte("<html>"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Parse("bleu:flores200"); err == nil || !strings.Contains(err.Error(), "not a SentencePiece model") {
		t.Errorf("a page in the model's place: %v", err)
	}
}

// TestPython_dataTokenizers compares BLEU with sacrebleu's under the tokenizers that need files: a SentencePiece model trained for the
// test, and MeCab's dictionaries from their Python packages.
func TestPython_dataTokenizers(t *testing.T) {
	ja := [][2]string{
		{"この薬は一日三回、食後に飲んでください。", "この薬を一日に三回、食後に飲みます。"}, {"医師に相談してください。", "お医者さんに相談して下さい。"},
		{"血圧が高い場合は、塩分を控えましょう。", "血圧が高いときは塩分を控えてください。"}, {"よく眠れない。", "よく眠れません"},
	}
	ko := [][2]string{
		{"이 약은 하루에 세 번 식후에 드세요.", "이 약을 하루 세 번 식후에 드십시오."}, {"의사와 상담하세요.", "의사와 상담하십시오."},
		{"혈압이 높으면 소금을 줄이세요.", "혈압이 높을 때는 소금을 줄여 주세요."},
	}
	for name, texts := range map[string][][2]string{
		"spm": append(ja, ko...), "flores101": append(ko, ja...), "flores200": ja, "spBLEU-1K": ko, "ja-mecab": ja, "ko-mecab": ko,
	} {
		t.Run(name, func(t *testing.T) {
			switch name {
			case "ja-mecab":
				t.Setenv("MECAB_IPADIC", dicdir(t, "ipadic"))
			case "ko-mecab":
				t.Setenv("MECAB_KO_DIC", dicdir(t, "mecab_ko_dic"))
			default:
				t.Setenv("SACREBLEU", t.TempDir())
			}
			var want struct {
				Score     float64
				Signature string
			}
			askPython(t, "sacrebleu, sentencepiece", `
import json, os, sys
a = json.load(sys.stdin)
if "SACREBLEU" in os.environ and "mecab" not in a["Name"]:
    import io, sentencepiece
    w = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter([x for p in a["Texts"] for x in p] * 20), model_writer=w, vocab_size=150, hard_vocab_limit=False, minloglevel=2,
        model_type="bpe" if a["Name"] == "flores200" else "unigram")
    os.makedirs(os.environ["SACREBLEU"] + "/models")
    with open(os.environ["SACREBLEU"] + "/models/" + a["File"], "wb") as f: f.write(w.getvalue())
from sacrebleu.metrics import BLEU
b = BLEU(tokenize=a["Name"])
s = b.corpus_score([p[0] for p in a["Texts"]], [[p[1] for p in a["Texts"]]])
print(json.dumps({"Score": s.score, "Signature": str(b.get_signature())}))
`, map[string]any{"Name": name, "Texts": texts, "File": filepath.Base(dataTokenizers[name].places()[0])}, &want)
			var pairs []Pair
			for _, x := range texts {
				pairs = append(pairs, Pair{x[0], []string{x[1]}})
			}
			r := evaluate(t, "bleu:"+name, pairs)
			if got := r.Metrics["bleu:"+name]; !near(got, want.Score, 1e-9) {
				t.Errorf("%.12f, sacrebleu has %.12f", got, want.Score)
			}
			got, _, _ := strings.Cut(r.Signatures["bleu:"+name], "|version:")
			if w, _, _ := strings.Cut(want.Signature, "|version:"); got != w {
				t.Errorf("signature %s, sacrebleu has %s", got, w)
			}
		})
	}
}

// dicdir is where a Python package has its dictionary.
func dicdir(t *testing.T, module string) string {
	t.Helper()
	name := cmp.Or(os.Getenv("FT_PYTHON"), "python3")
	out, err := exec.Command(name, "-c", "import "+module+"; print("+module+".DICDIR)").Output()
	if err != nil {
		t.Skipf("%s has no %s (FT_PYTHON names another interpreter): %v", name, module, err)
	}
	return strings.TrimSpace(string(out))
}
