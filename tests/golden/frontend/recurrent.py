# RNN, GRU and LSTM with the attributes that the ONNX backend tests leave out, against loops in plain Python over ONNX's formulas.
#
#   recurrent.py DLCC DIR     writes DIR/CASE/{model.onnx, test_data_set_0} and tests each case
import math
import os
import random
import struct
import subprocess
import sys

GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
FUNCTIONS = {"RNN": ["Tanh"], "GRU": ["Sigmoid", "Tanh"], "LSTM": ["Sigmoid", "Tanh", "Tanh"]}


# ---- protocol buffers --------------------------------------------------------------------------------------------------------


def varint(n):
    out = b""
    while True:
        out += bytes([n & 127 | (128 if n > 127 else 0)])
        n >>= 7
        if not n:
            return out


def number(field, n):
    return varint(field << 3) + varint(n)


def data(field, v):
    v = v.encode() if isinstance(v, str) else v
    return varint(field << 3 | 2) + varint(len(v)) + v


def real(field, v):
    return varint(field << 3 | 5) + struct.pack("<f", v)


def tensor(name, dims, values, kind=1):
    raw = struct.pack("<%d%s" % (len(values), "f" if kind == 1 else "i"), *values)
    return b"".join(number(1, d) for d in dims) + number(2, kind) + data(8, name) + data(9, raw)


def attribute(name, v):
    if isinstance(v, int):
        return data(1, name) + number(3, v) + number(20, 2)
    if isinstance(v, float):
        return data(1, name) + real(2, v) + number(20, 1)
    if isinstance(v, str):
        return data(1, name) + data(4, v) + number(20, 3)
    if v and isinstance(v[0], str):
        return data(1, name) + b"".join(data(9, s) for s in v) + number(20, 8)
    return data(1, name) + b"".join(real(7, x) for x in v) + number(20, 6)


def port(name, dims):
    shape = b"".join(data(1, number(1, d) if isinstance(d, int) else data(2, d)) for d in dims)
    return data(1, name) + data(2, data(1, number(1, 1) + data(2, shape)))


def model(op, inputs, outputs, attributes, dims, weights):
    node = b"".join(data(1, i) for i in inputs) + b"".join(data(2, o) for o in outputs) + data(4, op)
    node += b"".join(data(5, attribute(k, v)) for k, v in attributes.items())
    graph = data(1, node) + data(2, "net") + b"".join(data(5, tensor(*w)) for w in weights) + data(11, port("X", dims))
    graph += b"".join(data(12, data(1, o)) for o in outputs)
    return number(1, 8) + data(7, graph) + data(8, data(1, "") + number(2, 14))


# ---- the formulas ------------------------------------------------------------------------------------------------------------
ACTIVATIONS = {  # how many parameters
    "Relu": (0, lambda x, a, b: max(x, 0)),
    "Tanh": (0, lambda x, a, b: math.tanh(x)),
    "Sigmoid": (0, lambda x, a, b: 1 / (1 + math.exp(-x))),
    "Affine": (2, lambda x, a, b: a * x + b),
    "LeakyRelu": (1, lambda x, a, b: x if x >= 0 else a * x),
    "ThresholdedRelu": (1, lambda x, a, b: x if x > a else 0),
    "ScaledTanh": (2, lambda x, a, b: a * math.tanh(b * x)),
    "HardSigmoid": (2, lambda x, a, b: min(max(a * x + b, 0), 1)),
    "Elu": (1, lambda x, a, b: x if x >= 0 else a * (math.exp(x) - 1)),
    "Softsign": (0, lambda x, a, b: x / (1 + abs(x))),
    "Softplus": (0, lambda x, a, b: math.log(1 + math.exp(x))),
}


def functions(c, d):
    names = c["attributes"].get("activations", FUNCTIONS[c["op"]] * c["D"])
    alphas, betas = list(c["attributes"].get("activation_alpha", [])), list(c["attributes"].get("activation_beta", []))
    taken = []
    for name in names:
        count, f = ACTIVATIONS[name]
        a = alphas.pop(0) if count > 0 and alphas else 0
        b = betas.pop(0) if count > 1 and betas else 0
        taken.append(lambda x, f=f, a=a, b=b: f(x, a, b))
    n = len(FUNCTIONS[c["op"]])
    return taken[d * n:d * n + n]


def dot(w, at, n, v):
    return sum(w[at + k] * v[k] for k in range(n))


def one_step(c, d, f, x, h, s):
    """The new state (and cell) of one batch."""
    op, H, I, G = c["op"], c["H"], c["I"], GATES[c["op"]]
    W, R, B, P = c["W"], c["R"], c.get("B"), c.get("P")
    clip = c["attributes"].get("clip", 0)

    def bounded(v):
        return min(max(v, -clip), clip) if clip else v

    def bias(part, g, j):
        return B[(d * 2 * G + part * G + g) * H + j] if B else 0

    def of_x(g, j):
        return dot(W, ((d * G + g) * H + j) * I, I, x) + bias(0, g, j)

    def of_h(g, j, v):
        return dot(R, ((d * G + g) * H + j) * H, H, v) + bias(1, g, j)

    def peep(g, j):
        return P[(d * 3 + g) * H + j] if P else 0

    if op == "RNN":
        return [f[0](bounded(of_x(0, j) + of_h(0, j, h))) for j in range(H)], s
    if op == "GRU":
        z, r = [[f[0](bounded(of_x(g, j) + of_h(g, j, h))) for j in range(H)] for g in (0, 1)]
        if c["attributes"].get("linear_before_reset"):
            inner = [r[j] * of_h(2, j, h) for j in range(H)]
        else:
            inner = [of_h(2, j, [r[k] * h[k] for k in range(H)]) for j in range(H)]
        return [(1 - z[j]) * f[1](bounded(of_x(2, j) + inner[j])) + z[j] * h[j] for j in range(H)], s
    new_h, new_s = [], []
    for j in range(H):
        i = f[0](bounded(of_x(0, j) + of_h(0, j, h) + peep(0, j) * s[j]))
        forget = 1 - i if c["attributes"].get("input_forget") else f[0](bounded(of_x(2, j) + of_h(2, j, h) + peep(2, j) * s[j]))
        cell = forget * s[j] + i * f[1](bounded(of_x(3, j) + of_h(3, j, h)))
        o = f[0](bounded(of_x(1, j) + of_h(1, j, h) + peep(1, j) * cell))
        new_s.append(cell)
        new_h.append(o * f[2](cell))
    return new_h, new_s


def reference(c):
    T, N, H, I, D = c["T"], c["N"], c["H"], c["I"], c["D"]
    Y = [0.0] * (T * D * N * H)
    last_h, last_c = [], []
    for d in range(D):
        f = functions(c, d)
        backwards = d == 1 or c["attributes"].get("direction") == "reverse"
        for n in range(N):
            at = (d * N + n) * H
            h = c["h0"][at:at + H] if "h0" in c else [0.0] * H
            s = c["c0"][at:at + H] if "c0" in c else [0.0] * H
            length = c["lengths"][n] if "lengths" in c else T
            for t in reversed(range(length)) if backwards else range(length):
                h, s = one_step(c, d, f, c["X"][(t * N + n) * I:(t * N + n + 1) * I], h, s)
                Y[((t * D + d) * N + n) * H:((t * D + d) * N + n + 1) * H] = h
            last_h += h
            last_c += s
    return Y, last_h, last_c


# ---- cases -------------------------------------------------------------------------------------------------------------------
def make(op, T=5, N=2, I=3, H=4, dynamic=True, parts="B", **attributes):
    c = {"op": op, "T": T, "N": N, "I": I, "H": H, "D": 2 if attributes.get("direction") == "bidirectional" else 1}
    D, G = c["D"], GATES[op]
    rng = random.Random("%s %s %s" % (op, parts, sorted(attributes.items())))

    def numbers(n):
        return [rng.randint(-16, 16) / 16 for _ in range(n)]

    c.update(attributes=dict(attributes, hidden_size=H), dynamic=dynamic, X=numbers(T * N * I), W=numbers(D * G * H * I), R=numbers(D * G * H * H))
    if "B" in parts:
        c["B"] = numbers(D * 2 * G * H)
    if "h" in parts:
        c["h0"] = numbers(D * N * H)
    if "c" in parts:
        c["c0"] = numbers(D * N * H)
    if "P" in parts:
        c["P"] = numbers(D * 3 * H)
    if "l" in parts:
        c["lengths"] = [1 + (i * 3 + 1) % T for i in range(N)]
    return c


def cases():
    for op in GATES:
        states = "hc" if op == "LSTM" else "h"
        yield make(op, clip=0.5)
        yield make(op, parts="B" + states + "l", direction="reverse")
        yield make(op, parts="l", direction="bidirectional", N=3)
        yield make(op, parts="B" + states, T=1, dynamic=False)
        yield make(op, parts="B", H=17, N=1, dynamic=False, direction="bidirectional")
    for linear in (0, 1):
        yield make("GRU", linear_before_reset=linear)
        yield make("GRU", linear_before_reset=linear, parts="", clip=0.25)
        yield make("GRU", linear_before_reset=linear, parts="Bhl", direction="bidirectional")
    yield make("LSTM", input_forget=1)
    yield make("LSTM", input_forget=1, parts="BhcPl", direction="bidirectional")
    yield make("LSTM", parts="BP", clip=0.5)
    names = list(ACTIVATIONS)
    for k, op in enumerate(list(GATES) * 4):
        n = len(FUNCTIONS[op]) * 2
        chosen = [names[(k * 5 + i * 3) % len(names)] for i in range(n)]
        alphas = [0.25 + i / 8 for i, name in enumerate(chosen) if ACTIVATIONS[name][0] > 0]
        betas = [0.75 - i / 8 for i, name in enumerate(chosen) if ACTIVATIONS[name][0] > 1]
        yield make(op, direction="bidirectional", activations=chosen, activation_alpha=alphas, activation_beta=betas)


def write(path, content):
    with open(path, "wb") as f:
        f.write(content)


def write_case(c, where):
    T, N, H, I, D, G = c["T"], c["N"], c["H"], c["I"], c["D"], GATES[c["op"]]
    os.makedirs(os.path.join(where, "test_data_set_0"))
    known = {"W": [D, G * H, I], "R": [D, G * H, H], "B": [D, 2 * G * H], "lengths": [N], "h0": [D, N, H], "c0": [D, N, H], "P": [D, 3 * H]}
    weights = [(k, dims, c[k], 6 if k == "lengths" else 1) for k, dims in known.items() if k in c]
    inputs = ["X"] + [k if k in c else "" for k in known][:7 if c["op"] == "LSTM" else 5]
    outputs = ["Y", "Y_h", "Y_c"][:3 if c["op"] == "LSTM" else 2]
    fixed_batch = any(k in c for k in ("lengths", "h0", "c0"))
    dims = ["T", N if fixed_batch else "N", I] if c["dynamic"] else [T, N, I]
    write(os.path.join(where, "model.onnx"), model(c["op"], inputs, outputs, c["attributes"], dims, weights))
    data_set = os.path.join(where, "test_data_set_0")
    write(os.path.join(data_set, "input_0.pb"), tensor("X", [T, N, I], c["X"]))
    for i, v in enumerate(reference(c)[:len(outputs)]):
        write(os.path.join(data_set, "output_%d.pb" % i), tensor(outputs[i], [T, D, N, H] if i == 0 else [D, N, H], v))


def main():
    dlcc, where = sys.argv[1:]
    failed = 0
    for i, c in enumerate(cases()):
        path = os.path.join(where, "%d-%s" % (i, c["op"]))
        write_case(c, path)
        command = [dlcc, "test", os.path.join(path, "model.onnx"), "--rtol=1e-4", "--atol=1e-5"]
        for mode in ("-O3", "-O0") if i % 8 == 0 else ("-O3",):
            done = subprocess.run(command + [mode], capture_output=True, text=True)
            if done.returncode:
                print("%s %s %s\n%s%s" % (path, mode, c["attributes"], done.stdout, done.stderr))
                failed += 1
    sys.exit(failed > 0)


main()
