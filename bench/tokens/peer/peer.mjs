// The peer of bench/tokens: node-llama-cpp, asked by lines of JSON on standard
// input, answering with one line each. Times are milliseconds from the request.
import { createInterface } from "node:readline";
import { getLlama, LlamaLogLevel, LlamaCompletion } from "node-llama-cpp";

const llama = await getLlama({ gpu: false, build: "never", logLevel: LlamaLogLevel.error, progressLogs: false });
let model, context, sequence;

async function load({ path, threads, context: size, parallel }) {
  model = await llama.loadModel({ modelPath: path });
  const options = { contextSize: size || 4096, batchSize: 512, sequences: parallel || 1 };
  if (threads) options.threads = threads;
  context = await model.createContext(options);
  sequence = context.getSequence();
  return { threads: context.currentThreads || threads || 0 };
}

function encode(text) {
  const tokens = model.tokenize(text);
  const bos = model.tokens.bos;
  return bos != null && model.tokens.shouldPrependBosToken ? [bos, ...tokens] : tokens;
}

async function generate({ prompt, most, keep }) {
  if (!keep) await sequence.clearHistory();
  const tokens = encode(prompt);
  const begin = performance.now();
  let first = 0, last = 0, out = 0;
  for await (const token of sequence.evaluate(tokens, { temperature: 0 })) {
    last = performance.now() - begin;
    if (out++ === 0) first = last;
    if (out >= most || model.isEogToken(token)) break;
  }
  return { prompt: tokens.length, out, first, last };
}

async function cancel({ prompt, after }) {
  await sequence.clearHistory();
  const stop = new AbortController();
  const completion = new LlamaCompletion({ contextSequence: sequence });
  let asked = 0;
  setTimeout(() => { asked = performance.now(); stop.abort(); }, after);
  try {
    await completion.generateCompletion(prompt, { maxTokens: 500, temperature: 0, signal: stop.signal });
  } catch (e) {
    if (!stop.signal.aborted) throw e;
  }
  const took = asked ? performance.now() - asked : -1;
  completion.dispose({ disposeSequence: false });
  return { took };
}

async function unload() {
  await context?.dispose();
  await model?.dispose();
  context = model = sequence = undefined;
  return {};
}

const does = { load, generate, cancel, unload };
for await (const line of createInterface({ input: process.stdin })) {
  const q = JSON.parse(line);
  let answer;
  try {
    answer = await does[q.do](q);
  } catch (e) {
    answer = { error: String(e && e.message || e) };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
}
process.exit(0);
