// Prompt reading and decoding with llama.cpp on the CPU: how many tokens a second?
//
//   npm install --ignore-scripts node-llama-cpp@3.22.1     (in a folder outside the repository)
//   node llamacpp.mjs MODEL.gguf THREADS                    (this file copied there)
//
// One JSON line on stdout: a prompt of 512 tokens, the median of three; 64 tokens behind a prompt of 64, the median of three.
import {getLlama, LlamaLogLevel} from "node-llama-cpp";

const [modelPath, threads] = process.argv.slice(2);
const llama = await getLlama({gpu: false, build: "never", logLevel: LlamaLogLevel.error, maxThreads: Number(threads)});
const model = await llama.loadModel({modelPath});
const words = model.tokenize("The patient was seen in the clinic for a cough, and the doctor asked about fever, pain, and sleep. ".repeat(60));
const median = (v) => v.sort((a, b) => a - b)[v.length >> 1];
const seconds = (from) => Number(process.hrtime.bigint() - from) / 1e9;

// measure gives the seconds to the first token behind a prompt, and those for the tokens that follow.
async function measure(promptTokens, newTokens) {
    const context = await model.createContext({contextSize: 1024, batchSize: 512, threads: Number(threads)});
    const sequence = context.getSequence();
    let from = process.hrtime.bigint(), first = 0, n = 0;
    for await (const _ of sequence.evaluate(words.slice(0, promptTokens), {temperature: 0, yieldEogToken: true})) {
        if (n++ === 0) {
            first = seconds(from);
            from = process.hrtime.bigint();
        }
        if (n > newTokens) break;
    }
    const rest = seconds(from);
    await context.dispose();
    return [first, rest];
}

await measure(64, 1);
const prompt = [], decode = [];
for (let i = 0; i < 3; i++) {
    prompt.push((await measure(512, 0))[0]);
    decode.push((await measure(64, 64))[1]);
}
console.log(JSON.stringify({prompt_tokens_per_s: 512 / median(prompt), decode_tokens_per_s: 64 / median(decode)}));
process.exit(0);
