# Networks with data, to be tested in every mode: writes DIR/net.ir and DIR/data*/input_*.pb, output_*.pb.
#
#   cases.py KIND DIR [ARGUMENT]
# The data are small integers, so that sums are exact in f32 in any order, wherever a kind does not say otherwise.  References are
# loops in plain Python over what docs/graph_ir.md says.
import itertools
import math
import os
import struct
import sys

EDGES = [1, 2, 3, 7, 15, 16, 17, 33]


class Tensor:
    def __init__(self, dims, values):
        self.dims, self.values = list(dims), list(values)

    def at(self, *index):
        i = 0
        for d, k in zip(self.dims, index):
            i = i * d + k
        return self.values[i]

    def text(self):
        return "[%s]" % ", ".join(repr(float(v)) for v in self.values)


def indices(dims):
    return itertools.product(*(range(d) for d in dims))


def make(dims, f):
    return Tensor(dims, [float(f(*i)) for i in indices(dims)])


def small(dims, seed):
    """Integers of -3..3 in no simple pattern."""
    return Tensor(dims, [float((i * (2 * seed + 3) + i // 5 + seed) % 7 - 3) for i in range(math.prod(dims))])


# ---- files ------------------------------------------------------------------------------------------------------------------


def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def field(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data


def tensor_proto(t):
    dims = b"".join(varint(1 << 3) + varint(d) for d in t.dims)
    return dims + varint(2 << 3) + varint(1) + field(9, struct.pack("<%df" % len(t.values), *t.values))


class Net:
    """Lines of a graph, and for each data set its tensors."""

    def __init__(self, directory):
        self.dir, self.inputs, self.outputs, self.lines = directory, [], [], []

    def input(self, name, dims, data):
        self.inputs.append(("%%%s: f32[%s]" % (name, ",".join(map(str, dims))), data if isinstance(data, list) else [data]))

    def const(self, name, t):
        self.lines.append("const %%%s: f32[%s] = %s" % (name, ",".join(map(str, t.dims)), t.text()))

    def add(self, line):
        self.lines.append(line)

    def output(self, name, dims, data):
        self.outputs.append(("%%%s: f32[%s]" % (name, ",".join(map(str, dims))), data if isinstance(data, list) else [data]))

    def write(self):
        os.makedirs(self.dir, exist_ok=True)
        with open(os.path.join(self.dir, "net.ir"), "w") as f:
            f.write("graph @net(%s) -> (%s) {\n" % (", ".join(t for t, _ in self.inputs), ", ".join(t for t, _ in self.outputs)))
            f.writelines("  %s\n" % line for line in self.lines)
            f.write("}\n")
        for k in range(len(self.outputs[0][1])):
            data = os.path.join(self.dir, "data%d" % k)
            os.makedirs(data, exist_ok=True)
            for word, ports in (("input", self.inputs), ("output", self.outputs)):
                for i, (_, sets) in enumerate(ports):
                    with open(os.path.join(data, "%s_%d.pb" % (word, i)), "wb") as f:
                        f.write(tensor_proto(sets[k]))


# ---- contractions -----------------------------------------------------------------------------------------------------------


def product(a, b):
    (m, k), n = a.dims, b.dims[1]
    rows = [a.values[i * k:(i + 1) * k] for i in range(m)]
    columns = [b.values[j::n] for j in range(n)]
    return Tensor([m, n], [float(sum(x * y for x, y in zip(r, c))) for r in rows for c in columns])


# What follows a product: lines of maps on %1, and the element they make.  row, column and both stand for operands of these shapes.
EPILOGUES = [
    ([], "", lambda y, m, n: y),
    ([], "max(%0, 0.0)", lambda y, m, n: max(y, 0)),
    (["column"], "max(%0 + %1, 0.0)", lambda y, m, n: max(y + column(n), 0)),
    (["both"], "%0 + %1", lambda y, m, n: y + both(m, n)),
    (["column", "both"], "max(%0 + %1, 0.0) - %2", lambda y, m, n: max(y + column(n), 0) - both(m, n)),
    (["row"], "%0 * %1", lambda y, m, n: y * row(m)),
    (["column"], "min(max(%0 * %1, -6.0), 6.0)", lambda y, m, n: min(max(y * column(n), -6), 6)),
    ([], "select(%0 < 0.0, %0 * 0.5, %0)", lambda y, m, n: y / 2 if y < 0 else y),
]


def column(n):
    return n % 3 - 1


def row(m):
    return m % 4 - 1


def both(m, n):
    return (3 * m + n) % 5 - 2


def epilogue(net, name, number, y, result):
    """The map of EPILOGUES[number] on the value y; operands are constants."""
    operands, expression, f = EPILOGUES[number % len(EPILOGUES)]
    m, n = result.dims
    shapes = {"column": ([n], lambda j: column(j)), "row": ([m, 1], lambda i, j: row(i)), "both": ([m, n], both)}
    names = []
    for o in operands:
        names.append("%s_%s" % (name, o))
        net.const(names[-1], make(*shapes[o]))
    if not expression:
        expression = "%0"
    net.add("%%%s = map %s { %s } : f32[%d,%d]" % (name, ", ".join(["%" + y] + ["%" + o for o in names]), expression, m, n))
    net.output(name, [m, n], make([m, n], lambda i, j: f(result.at(i, j), i, j)))


def contract(directory, m):
    """[M,K] x [K,N] for one M, every N, and K so that all pairs occur: B constant (packed), and B given."""
    net, m = Net(directory), int(m)
    for i, n in enumerate(EDGES):
        k = EDGES[(i + EDGES.index(m)) % len(EDGES)]
        a, w, b = small([m, k], i), small([k, n], i + 1), small([k, n], i + 2)
        net.input("a%d" % i, [m, k], a)
        net.input("b%d" % i, [k, n], b)
        net.const("w%d" % i, w)
        net.add("%%p%d = contract %%a%d, %%w%d {equation=\"mk,kn->mn\"} : f32[%d,%d]" % (i, i, i, m, n))
        epilogue(net, "packed%d" % i, i + m, "p%d" % i, product(a, w))
        net.add("%%q%d = contract %%a%d, %%b%d {equation=\"mk,kn->mn\"} : f32[%d,%d]" % (i, i, i, m, n))
        epilogue(net, "given%d" % i, i + m + 3, "q%d" % i, product(a, b))
    net.write()


def contract_dynamic(directory):
    """Every size a symbol, none of the sizes special; among them no rows, nothing to sum, and every height of a register tile."""
    net = Net(directory)
    sets = [(0, 3, 5), (1, 1, 1), (2, 17, 33), (33, 16, 15), (5, 0, 3), (7, 300, 2), *((m, 9, 17) for m in range(3, 30)), (73, 4, 17), (145, 2, 40)]
    a, b = [small([m, k], 1) for m, k, n in sets], [small([k, n], 2) for m, k, n in sets]
    net.input("a", ["M", "K"], a)
    net.input("b", ["K", "N"], b)
    net.add("%1 = contract %a, %b {equation=\"mk,kn->mn\"} : f32[M,N]")
    net.add("%y = map %1 { max(%0, 0.0) } : f32[M,N]")
    net.output("y", ["M", "N"], [make(p.dims, lambda i, j: max(p.at(i, j), 0)) for p in map(product, a, b)])
    w = small([16, 24], 3)
    x = [small([m, 16], 4) for m, _, _ in sets]
    net.input("x", ["M", 16], x)
    net.const("w", w)
    net.add("%2 = contract %x, %w {equation=\"mk,kn->mn\"} : f32[M,24]")
    net.add("%z = map %2 { %0 + 1.0 } : f32[M,24]")
    net.output("z", ["M", 24], [make(p.dims, lambda i, j: p.at(i, j) + 1) for p in (product(t, w) for t in x)])
    net.write()


def contract_forms(directory):
    """Other orders of axes, several of them, batches."""
    net = Net(directory)
    forms = [
        ("mk,nk->mn", dict(m=5, n=17, k=9)), ("km,kn->mn", dict(m=18, n=7, k=5)), ("mk,kn->nm", dict(m=6, n=19, k=4)),
        ("bmk,bkn->bmn", dict(b=3, m=5, n=16, k=7)), ("bmk,bnk->bmn", dict(b=2, m=9, n=9, k=8)),
        ("bhmk,bhkn->bmhn", dict(b=2, h=3, m=4, n=5, k=6)), ("k,kn->n", dict(n=33, k=12)), ("mk,k->m", dict(m=33, k=12)),
        ("k,k->", dict(k=100)), ("mab,abn->mn", dict(m=4, a=3, b=5, n=18)), ("m,n->mn", dict(m=7, n=17)),
        ("bm,bn->bmn", dict(b=2, m=3, n=20)), ("bmk,kn->bmn", dict(b=2, m=3, n=20, k=5)),
    ]
    for i, (equation, size) in enumerate(forms):
        left, right = equation.split("->")[0].split(",")
        out = equation.split("->")[1]
        a, b = small([size[c] for c in left], i), small([size[c] for c in right], i + 1)
        summed = sorted(set(left + right) - set(out))

        def element(*at):
            total = 0
            for s in indices([size[c] for c in summed]):
                where = dict(zip(out, at), **dict(zip(summed, s)))
                total += a.at(*(where[c] for c in left)) * b.at(*(where[c] for c in right))
            return total

        dims = [size[c] for c in out]
        shape = ",".join(map(str, dims))
        net.input("a%d" % i, a.dims, a)
        net.input("b%d" % i, b.dims, b)
        net.const("w%d" % i, b)
        want = make(dims, element)
        for name, operand in (("given", "b"), ("packed", "w")):
            net.add("%%%s%d = contract %%a%d, %%%s%d {equation=\"%s\"} : f32[%s]" % (name, i, i, operand, i, equation, shape))
            net.output("%s%d" % (name, i), dims, want)
    net.write()


# ---- convolutions -----------------------------------------------------------------------------------------------------------


def conv_reference(x, w, bias, strides, dilations, lo, out, group, f):
    channels, outputs = w.dims[1], w.dims[0]
    spatial = len(strides)

    def element(n, o, *at):
        total = bias[o]
        first = o // (outputs // group) * channels
        for c in range(channels):
            for tap in indices(w.dims[2:]):
                place = [at[s] * strides[s] - lo[s] + tap[s] * dilations[s] for s in range(spatial)]
                if all(0 <= p < d for p, d in zip(place, x.dims[2:])):
                    total += x.at(n, first + c, *place) * w.at(o, c, *tap)
        return f(total)

    return make([x.dims[0], outputs] + out, element)


#        x              w              strides  dilations  lo      hi      group
CONVS = [
    ([1, 3, 9, 9], [8, 3, 3, 3], [1, 1], [1, 1], [1, 1], [1, 1], 1),
    ([1, 8, 9, 9], [17, 8, 3, 3], [2, 2], [1, 1], [1, 1], [1, 1], 1),
    ([2, 16, 5, 7], [16, 16, 1, 1], [1, 1], [1, 1], [0, 0], [0, 0], 1),
    ([1, 16, 6, 6], [33, 16, 1, 1], [2, 2], [1, 1], [0, 0], [0, 0], 1),
    ([1, 4, 8, 10], [4, 4, 3, 2], [1, 1], [1, 1], [2, 0], [0, 1], 1),
    ([1, 4, 9, 11], [8, 4, 3, 3], [1, 1], [2, 3], [2, 3], [2, 3], 1),
    ([1, 4, 9, 11], [6, 4, 3, 3], [2, 3], [2, 1], [1, 0], [0, 2], 1),
    ([1, 8, 6, 6], [8, 4, 3, 3], [1, 1], [1, 1], [1, 1], [1, 1], 2),
    ([1, 6, 5, 5], [9, 2, 3, 3], [1, 1], [1, 1], [0, 0], [0, 0], 3),
    ([1, 17, 7, 7], [17, 1, 3, 3], [1, 1], [1, 1], [1, 1], [1, 1], 17),
    ([2, 16, 8, 8], [16, 1, 5, 5], [2, 2], [1, 1], [2, 2], [1, 1], 16),
    ([1, 5, 6, 6], [10, 1, 3, 3], [1, 1], [1, 1], [1, 1], [1, 1], 5),
    ([1, 8, 1, 1], [16, 8, 1, 1], [1, 1], [1, 1], [0, 0], [0, 0], 1),
    ([1, 8, 3, 2], [16, 8, 3, 3], [1, 1], [1, 1], [1, 1], [1, 1], 1),
    ([1, 3, 12, 12], [16, 3, 7, 7], [2, 2], [1, 1], [3, 3], [3, 3], 1),
    ([1, 4, 20], [6, 4, 3], [1], [1], [1], [1], 1),
    ([2, 4, 21], [16, 4, 5], [3], [2], [4], [0], 1),
    ([1, 8, 15], [8, 1, 4], [2], [1], [1], [2], 8),
    ([1, 2, 5, 6, 7], [4, 2, 3, 2, 3], [1, 2, 1], [1, 1, 2], [1, 0, 2], [1, 1, 2], 1),
    ([1, 4, 4, 4, 4], [4, 1, 2, 2, 2], [1, 1, 1], [1, 1, 1], [0, 0, 0], [1, 1, 1], 4),
    ([1, 1, 4, 4], [1, 1, 4, 4], [1, 1], [1, 1], [0, 0], [0, 0], 1),
    ([1, 32, 8, 8], [32, 32, 3, 3], [1, 1], [1, 1], [1, 1], [1, 1], 1),
]


def convolutions(directory, part):
    """Static, with constant weights and a bias, then relu; every third also with weights that are given."""
    net, part = Net(directory), int(part)
    for i, (x_dims, w_dims, strides, dilations, lo, hi, group) in enumerate(CONVS):
        if i % 2 != part:
            continue
        x, w = small(x_dims, i), small(w_dims, i + 1)
        bias = [float(o % 5 - 2) for o in range(w_dims[0])]
        out = [(x_dims[2 + s] + lo[s] + hi[s] - (w_dims[2 + s] - 1) * dilations[s] - 1) // strides[s] + 1
               for s in range(len(strides))]
        dims = [x_dims[0], w_dims[0]] + out
        shape = ",".join(map(str, dims))
        attributes = "strides=%s, dilations=%s, lo=%s, hi=%s, group=%d" % (strides, dilations, lo, hi, group)
        net.input("x%d" % i, x_dims, x)
        net.const("w%d" % i, w)
        net.const("b%d" % i, Tensor([w_dims[0]], bias))
        net.add("%%c%d = conv %%x%d, %%w%d, %%b%d {%s} : f32[%s]" % (i, i, i, i, attributes, shape))
        net.add("%%y%d = map %%c%d { max(%%0, 0.0) } : f32[%s]" % (i, i, shape))
        net.output("y%d" % i, dims, conv_reference(x, w, bias, strides, dilations, lo, out, group, lambda v: max(v, 0)))
        if i % 3 == 0:
            net.input("v%d" % i, w_dims, w)
            net.add("%%z%d = conv %%x%d, %%v%d {%s} : f32[%s]" % (i, i, i, attributes, shape))
            zero = [0.0] * w_dims[0]
            net.output("z%d" % i, dims, conv_reference(x, w, zero, strides, dilations, lo, out, group, lambda v: v))
    net.write()


def convolutions_dynamic(directory):
    """Batch, height and width are symbols; among the data a batch of none, and images smaller than a tile."""
    net = Net(directory)
    sets = [(0, 5, 5), (1, 3, 3), (3, 4, 17), (2, 1, 2)]
    x = [small([n, 4, h, w], 1) for n, h, w in sets]
    net.input("x", ["N", 4, "H", "W"], x)

    def conv(name, w, strides, dilations, lo, hi, group, dims, sizes):
        bias = [float(o % 5 - 2) for o in range(w.dims[0])]
        net.const(name + "_w", w)
        net.const(name + "_b", Tensor([w.dims[0]], bias))
        shape = ",".join(map(str, dims))
        net.add("%%%s_c = conv %%x, %%%s_w, %%%s_b {strides=%s, dilations=%s, lo=%s, hi=%s, group=%d} : f32[%s]" %
                (name, name, name, strides, dilations, lo, hi, group, shape))
        net.add("%%%s = map %%%s_c { max(%%0, 0.0) } : f32[%s]" % (name, name, shape))
        net.output(name, dims, [conv_reference(t, w, bias, strides, dilations, lo, sizes(*s[1:]), group, lambda v: max(v, 0))
                                for t, s in zip(x, sets)])

    conv("same", small([16, 4, 3, 3], 2), [1, 1], [1, 1], [1, 1], [1, 1], 1, ["N", 16, "H", "W"], lambda h, w: [h, w])
    conv("half", small([9, 4, 3, 3], 3), [2, 2], [1, 1], [1, 1], [1, 1], 1, ["N", 9, "(H + 1) / 2", "(W + 1) / 2"],
         lambda h, w: [(h + 1) // 2, (w + 1) // 2])
    conv("depthwise", small([4, 1, 3, 3], 4), [1, 1], [2, 2], [2, 2], [2, 2], 4, ["N", 4, "H", "W"], lambda h, w: [h, w])
    conv("point", small([8, 4, 1, 1], 5), [1, 1], [1, 1], [0, 0], [0, 0], 1, ["N", 8, "H", "W"], lambda h, w: [h, w])
    net.write()


#        x                w         edges    what follows: its number among AFTER
WINOGRADS = [
    ([2, 16, 13, 17], [24, 16], (1, 1), 0),
    ([2, 40, 5, 5], [35, 40], (1, 1), 1),
    ([9, 19, 4, 4], [19, 19], (1, 1), 2),
    ([20, 16, 3, 3], [16, 16], (1, 1), 0),
    ([3, 17, 9, 10], [33, 17], (0, 1), 1),
    ([1, 33, 22, 7], [18, 33], (0, 0), 0),
    ([1, 20, 14, 31], [20, 20], (1, 1), 2),
]

# The element that follows a convolution, with the element of its input at the same place for the last.
AFTER = [
    ("max(%0, 0.0)", lambda y: max(y, 0)),
    ("max(min(%0, 40.0), -40.0) + max(%0, 0.0) * 0.5 - min(%0 * 0.25, 3.0) + abs(%0) * 0.125",
     lambda y: max(min(y, 40), -40) + max(y, 0) / 2 - min(y / 4, 3) + abs(y) / 8),
    ("max(%0 + %1, 0.0)", lambda y, x: max(y + x, 0)),
]


def winograd_one(net, name, dims, x, w_dims, edges, after, sizes):
    """3x3 with bias on %NAME_x less one (an inner value, which has a halo); `x` are the data of %NAME_x."""
    x_shape = "%s,%d,%s,%s" % (dims[0], w_dims[1], dims[1], dims[2])
    shape = "%s,%d,%s,%s" % (dims[0], w_dims[0], sizes[0], sizes[1])
    w, bias = small(w_dims + [3, 3], 1), [float(o % 5 - 2) for o in range(w_dims[0])]
    expression, f = AFTER[after]
    residual = "%1" in expression
    net.const(name + "_w", w)
    net.const(name + "_b", Tensor([w_dims[0]], bias))
    net.add("%%%s_i = map %%%s_x { %%0 - 1.0 } : f32[%s]" % (name, name, x_shape))
    net.add("%%%s_c = conv %%%s_i, %%%s_w, %%%s_b {strides=[1,1], dilations=[1,1], lo=%s, hi=%s, group=1} : f32[%s]" %
            (name, name, name, name, [edges[0]] * 2, [edges[1]] * 2, shape))
    net.add("%%%s = map %%%s_c%s { %s } : f32[%s]" % (name, name, ", %%%s_i" % name if residual else "", expression, shape))
    results = []
    for t in x:
        less = Tensor(t.dims, [v - 1 for v in t.values])
        out = [d + sum(edges) - 2 for d in t.dims[2:]]
        y = conv_reference(less, w, bias, [1, 1], [1, 1], [edges[0]] * 2, out, 1, float)
        results.append(Tensor(y.dims, map(f, y.values, less.values) if residual else map(f, y.values)))
    net.output(name, shape.split(","), results)


def winograd(directory):
    """Images and channels that are no multiples of tiles and vectors."""
    net = Net(directory)
    for i, (x_dims, w_dims, edges, after) in enumerate(WINOGRADS):
        x = small(x_dims, i)
        net.input("y%d_x" % i, x_dims, x)
        winograd_one(net, "y%d" % i, [x_dims[0]] + x_dims[2:], [x], w_dims, edges, after, [d + sum(edges) - 2 for d in x_dims[2:]])
    net.write()


def winograd_dynamic(directory):
    """Batch, height and width are symbols; among the data images smaller than a tile, and none."""
    net = Net(directory)
    x = [small([n, 16, h, w], 1) for n, h, w in [(2, 13, 17), (1, 3, 2), (3, 4, 5), (1, 1, 40), (0, 6, 6)]]
    for i, outputs in enumerate([24, 16, 16]):
        net.input("y%d_x" % i, ["N", 16, "H", "W"], x)
        winograd_one(net, "y%d" % i, ["N", "H", "W"], x, [outputs, 16], (1, 1), i, ["H", "W"])
    net.write()


def winograd_3d(directory):
    """3x3 planes of volumes: taps, strides and dilations of the first axis of any kind; depth, then all sizes, are symbols."""
    net = Net(directory)
    cases = [([1, 16, 5, 9, 10], [24, 16, 3, 3, 3], 1, 1, (1, 1)), ([2, 16, 7, 6, 13], [16, 16, 2, 3, 3], 2, 1, (0, 0)),
             ([1, 20, 7, 4, 5], [8, 20, 3, 3, 3], 1, 2, (2, 1)), ([1, 16, 2, 8, 8], [16, 16, 1, 3, 3], 1, 1, (0, 0))]
    for i, (x_dims, w_dims, stride, dilation, depth) in enumerate(cases):
        x, w, bias = small(x_dims, i), small(w_dims, i + 1), [float(o % 5 - 2) for o in range(w_dims[0])]
        out = [(x_dims[2] + sum(depth) - dilation * (w_dims[2] - 1) - 1) // stride + 1] + x_dims[3:]
        names = ["N", "D", "H", "W"] if i == 0 else [x_dims[0]] + x_dims[2:]
        shape = [names[0], x_dims[1]] + names[1:]
        sizes = [names[0], w_dims[0]] + ([names[1]] if i == 0 else [out[0]]) + names[2:]
        net.input("x%d" % i, shape, x)
        net.const("w%d" % i, w)
        net.const("b%d" % i, Tensor([w_dims[0]], bias))
        net.add("%%i%d = map %%x%d { %%0 + 1.0 } : f32[%s]" % (i, i, ",".join(map(str, shape))))
        net.add("%%c%d = conv %%i%d, %%w%d, %%b%d {strides=[%d,1,1], dilations=[%d,1,1], lo=[%d,1,1], hi=[%d,1,1], group=1} : f32[%s]" %
                (i, i, i, i, stride, dilation, depth[0], depth[1], ",".join(map(str, sizes))))
        net.add("%%y%d = map %%c%d { max(%%0, 0.0) } : f32[%s]" % (i, i, ",".join(map(str, sizes))))
        more = Tensor(x_dims, [v + 1 for v in x.values])
        y = conv_reference(more, w, bias, [stride, 1, 1], [dilation, 1, 1], [depth[0], 1, 1], out, 1, float)
        net.output("y%d" % i, sizes, Tensor(y.dims, [max(v, 0) for v in y.values]))
    net.write()


# ---- rows: real numbers, so the test has a tolerance --------------------------------------------------------------------------


def softmax(v):
    top = max(v)
    e = [math.exp(x - top) for x in v]
    return [x / sum(e) for x in e]


def log_softmax(v):
    top = max(v)
    total = math.log(sum(math.exp(x - top) for x in v))
    return [x - top - total for x in v]


def layer_norm(v):
    mean = sum(v) / len(v)
    variance = sum((x - mean) ** 2 for x in v) / len(v)
    return [(x - mean) / math.sqrt(variance + 0.00001) for x in v]


def rms_norm(v):
    return [x / math.sqrt(sum(x * x for x in v) / len(v) + 0.00001) for x in v]


def by_rows(t, f):
    length = t.dims[-1]
    rows = [f(t.values[i:i + length]) for i in range(0, len(t.values), length)] if length else []
    return Tensor(t.dims, [x for r in rows for x in r])


def add_rows(net, tag, x, n, length, data):
    full, one = "f32[%s,%s]" % (n, length), "f32[%s,1]" % n
    lines = """
%A_m = reduce %X {axes=[1], op=max} : ONE
%A_e = map %X, %A_m { exp(%0 - %1) } : FULL
%A_s = reduce %A_e {axes=[1], op=sum} : ONE
%A = map %A_e, %A_s { %0 / %1 } : FULL
%L_d = map %X, %A_m { %0 - %1 } : FULL
%L_e = map %L_d { exp(%0) } : FULL
%L_s = reduce %L_e {axes=[1], op=sum} : ONE
%L = map %L_d, %L_s { %0 - log(%1) } : FULL
%N_s = reduce %X {axes=[1], op=sum} : ONE
%N_d = map %X, %N_s { %0 - %1 / cast<f32>([LENGTH]) } : FULL
%N_q = map %N_d { %0 * %0 } : FULL
%N_v = reduce %N_q {axes=[1], op=sum} : ONE
%N = map %N_d, %N_v { %0 / sqrt(%1 / cast<f32>([LENGTH]) + 0.00001) } : FULL
%R_q = map %X { %0 * %0 } : FULL
%R_v = reduce %R_q {axes=[1], op=sum} : ONE
%R = map %X, %R_v { %0 / sqrt(%1 / cast<f32>([LENGTH]) + 0.00001) } : FULL"""
    for line in lines.strip().split("\n"):
        for word, by in (("ONE", one), ("FULL", full), ("LENGTH", str(length)), ("%X", "%" + x)):
            line = line.replace(word, by)
        for letter in "ALNR":
            line = line.replace("%" + letter, "%%%s%s" % (letter, tag))
        net.add(line)
    for letter, f in zip("ALNR", (softmax, log_softmax, layer_norm, rms_norm)):
        net.output(letter + tag, [n, length], [by_rows(t, f) for t in data])


def reals(dims, seed):
    return Tensor(dims, [math.sin(i * (1.5 + seed)) * 4 for i in range(math.prod(dims))])


def rows(directory):
    """Softmax, log-softmax, layer and RMS normalisation over rows of constant length."""
    net = Net(directory)
    for i, length in enumerate([1, 3, 17, 1000]):
        data = reals([5, length], i)
        net.input("x%d" % i, [5, length], data)
        add_rows(net, str(i), "x%d" % i, 5, length, [data])
    net.write()


def rows_dynamic(directory):
    """The same with symbols; among the data no rows."""
    net = Net(directory)
    data = [reals(d, 1) for d in ([5, 1], [1, 3], [3, 17], [2, 1000], [0, 7])]
    net.input("x", ["N", "L"], data)
    add_rows(net, "0", "x", "N", "L", data)
    net.write()


# ---- attention --------------------------------------------------------------------------------------------------------------


def softmax_row(x):
    """0 where no score is finite: what networks make of 0/0."""
    most = max(x, default=-math.inf)
    if most == -math.inf:
        return [0.0] * len(x)
    e = [math.exp(v - most) for v in x]
    return [v / sum(e) for v in e]


def attend(q, k, v, mask):
    """H heads of rows q, keys k and values v; `mask` is added to the scores of all heads."""
    (h, m, d), n, w = q.dims, k.dims[1], v.dims[2]
    p = {(a, i): softmax_row([sum(q.at(a, i, c) * k.at(a, j, c) for c in range(d)) * 0.5 + mask.at(i, j) for j in range(n)]) for a in range(h) for i in range(m)}
    return make([h, m, w], lambda a, i, c: max(sum(p[a, i][j] * v.at(a, j, c) for j in range(n)), -1))


def masked(m, n):
    """Causal, one row without any score, one with scores at the very end alone."""
    def bias(i, j):
        if i == 3 or (i == 5 and j < n - 1) or (i != 5 and j > i + n - m):
            return -math.inf
        return (i + 2 * j) % 3 - 1
    return make([m, n], bias)


def add_attention(net, sets, dims):
    """Scores with a scale and a mask, softmax, the product, and an epilogue."""
    h, m, n, d, w = dims
    q, k = [small([2, s[0], 4], 1) for s in sets], [small([2, s[1], 4], 2) for s in sets]
    v, mask = [small([2, s[1], w], 3) for s in sets], [masked(*s) for s in sets]
    for name, shape, data in (("q", [h, m, d], q), ("k", [h, n, d], k), ("v", [h, n, w], v), ("mask", [m, n], mask)):
        net.input(name, shape, data)
    full, reduced = "f32[%s,%s,%s]" % (h, m, n), "f32[%s,%s,1]" % (h, m)
    net.add("%%kt = transpose %%k {perm=[0,2,1]} : f32[%s,%s,%s]" % (h, d, n))
    net.add("%%1 = contract %%q, %%kt {equation=\"hmk,hkn->hmn\"} : %s" % full)
    net.add("%%2 = map %%1, %%mask { %%0 * 0.5 + %%1 } : %s" % full)
    net.add("%%3 = reduce %%2 {axes=[2], op=max} : %s" % reduced)
    net.add("%%4 = map %%2, %%3 { exp(%%0 - %%1) } : %s" % full)
    net.add("%%5 = reduce %%4 {axes=[2], op=sum} : %s" % reduced)
    net.add("%%6 = map %%4, %%5 { %%0 / %%1 } : %s" % full)
    net.add("%%7 = map %%6 { select(isnan(%%0), 0.0, %%0) } : %s" % full)
    net.add("%%8 = contract %%7, %%v {equation=\"hmk,hkn->hmn\"} : f32[%s,%s,%s]" % (h, m, w))
    net.add("%%y = map %%8 { max(%%0, -1.0) } : f32[%s,%s,%s]" % (h, m, w))
    net.output("y", [h, m, w], [attend(*t) for t in zip(q, k, v, mask)])


def attention(directory, m, n):
    """Sizes known: blocks of rows and of keys that end evenly or not."""
    net = Net(directory)
    m, n = int(m), int(n)
    add_attention(net, [(m, n)], (2, m, n, 4, 20))
    net.write()


def attention_dynamic(directory):
    """Rows and keys unknown, among them one row, no keys and several blocks of both."""
    net = Net(directory)
    add_attention(net, [(1, 1), (1, 200), (3, 7), (5, 0), (37, 193), (70, 400)], (2, "M", "N", 4, 20))
    net.write()


KINDS = {
    "contract": contract, "contract-dynamic": contract_dynamic, "contract-forms": contract_forms, "conv": convolutions,
    "conv-dynamic": convolutions_dynamic, "winograd": winograd, "winograd-dynamic": winograd_dynamic, "winograd-3d": winograd_3d,
    "rows": rows, "rows-dynamic": rows_dynamic, "attention": attention, "attention-dynamic": attention_dynamic,
}
KINDS[sys.argv[1]](*sys.argv[2:])
