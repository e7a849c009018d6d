// Does llama.cpp answer from a merged GGUF as ft does from base and adapter?
//
//   npm install --ignore-scripts node-llama-cpp@3.22.1     (in a folder outside the repository)
//   node llamacpp.mjs FT BASE ADAPTER                      (this file copied there)
//
// For F32 and BF16: merge, then 48 greedy tokens for four prompts by both. A first difference is allowed only where the two best
// logits are closer than 0.05. Not part of .ci/run: it needs node and a prebuilt llama.cpp.
import {execFileSync} from "node:child_process";
import {mkdtempSync, writeFileSync, rmSync} from "node:fs";
import {tmpdir} from "node:os";
import {join} from "node:path";
import {getLlama, LlamaLogLevel} from "node-llama-cpp";

const [ft, base, adapter] = process.argv.slice(2);
const newTokens = 48, closest = 0.05;
const chat = (q) => `<|im_start|>system\nYou answer questions.<|im_end|>\n<|im_start|>user\n${q}<|im_end|>\n<|im_start|>assistant\n`;
const prompts = [
    "What are the symptoms of anemia?", "How is high blood pressure treated?", "What causes kidney stones?", "Is asthma inherited?",
].map(chat);
const dir = mkdtempSync(join(tmpdir(), "ft-llamacpp-"));
const run = (...args) => execFileSync(ft, args, {encoding: "utf8", stdio: ["ignore", "pipe", "ignore"], maxBuffer: 1 << 28});
const rows = (text) => text.trim().split("\n").map((line) => JSON.parse(line));

// ours gives ft's greedy tokens for rows of token ids.
function ours(model, adapterArgs, ids) {
    const file = join(dir, "ids.jsonl");
    writeFileSync(file, ids.map((x) => JSON.stringify({ids: x})).join("\n") + "\n");
    return rows(run("generate", "--base", model, ...adapterArgs, "--file", file, "--max-new", String(newTokens), "--json")).map((r) => r.ids);
}

// gap is the distance of the two best logits for the token after ids.
function gap(ids) {
    const file = join(dir, "gap.jsonl");
    writeFileSync(file, JSON.stringify({ids: [...ids, ids[0]]}) + "\n");
    const [best, next] = rows(run("score", "--base", base, "--adapter", adapter, "--file", file, "--json", "--top", "2"))[0].top.at(-1);
    return best[1] - next[1];
}

const llama = await getLlama({gpu: false, build: "never", logLevel: LlamaLogLevel.error, maxThreads: 2});
let bad = 0;
for (const type of ["f32", "bf16"]) {
    const out = join(dir, `${type}.gguf`);
    run("merge", "--adapter", adapter, "--base", base, "--out", out, "--type", type);
    const model = await llama.loadModel({modelPath: out});
    const context = await model.createContext({contextSize: 1024});
    const theirs = [], ids = [];
    for (const p of prompts) {
        const sequence = context.getSequence();
        const tokens = model.tokenize(p, true), got = [];
        ids.push(tokens.map(Number));
        for await (const t of sequence.evaluate(tokens, {temperature: 0})) {
            if (model.isEogToken(t)) break;
            got.push(Number(t));
            if (got.length >= newTokens) break;
        }
        theirs.push(got);
        sequence.dispose();
    }
    const adapted = ours(base, ["--adapter", adapter], ids);
    prompts.forEach((_, i) => {
        const n = Math.max(theirs[i].length, adapted[i].length);
        const at = [...Array(n).keys()].findIndex((k) => theirs[i][k] !== adapted[i][k]);
        if (at < 0) return console.log(`${type} prompt ${i + 1}: ${n} tokens, all the same`);
        const g = gap([...ids[i], ...adapted[i].slice(0, at)]);
        const ok = g < closest;
        if (!ok) bad++;
        console.log(`${type} prompt ${i + 1}: first difference at token ${at + 1} of ${n}, the two best logits are ${g.toFixed(4)} apart: ${ok ? "allowed" : "NOT allowed"}`);
    });
    await context.dispose();
    await model.dispose();
}
rmSync(dir, {recursive: true});
console.log(bad ? `${bad} prompts differ` : "llama.cpp and ft agree");
process.exit(bad ? 1 : 0);
