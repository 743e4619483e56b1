# Makes models/*.onnx, which are committed: `python make.py` with the onnx package (any version from 1.16 on gives equal models).
# Most of them are wrong, so nothing is checked here; what each shows stands in the test of its name.
import os
import struct
import sys

from onnx import AttributeProto, FunctionProto, ModelProto, TensorProto, helper

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "models")
F = TensorProto.FLOAT


def node(op, inputs, outputs, name="", domain="", **attributes):
    return helper.make_node(op, inputs.split(" ") if inputs else [], outputs.split(), name=name, domain=domain, **attributes)


def info(name, dims, type=F):
    return helper.make_tensor_value_info(name, type, dims)


def floats(name, dims, values):
    return helper.make_tensor(name, F, dims, [float(v) for v in values])


def ints(name, values, dims=None):
    return helper.make_tensor(name, TensorProto.INT64, [len(values)] if dims is None else dims, values)


def model(file, nodes, inputs, outputs, weights=(), opset=17, opsets=None, functions=()):
    graph = helper.make_graph(nodes, "net", inputs, outputs, list(weights))
    imports = [helper.make_opsetid(d, v) for d, v in (opsets if opsets is not None else [("", opset)])]
    m = ModelProto(ir_version=8, graph=graph, opset_import=imports, functions=functions)
    write(file, m.SerializeToString(deterministic=True))


def write(file, data):
    with open(os.path.join(HERE, file + ".onnx"), "wb") as f:
        f.write(data)


def external(name, dims, **entries):
    t = TensorProto(name=name, data_type=F, dims=dims, data_location=TensorProto.EXTERNAL)
    for key, value in entries.items():
        t.external_data.add(key=key, value=str(value))
    return t


# ---- models that are refused ----------------------------------------------------------------------------------------------------


def unsupported():
    model("unsupported", [
        node("Frobnicate", "x", "a", "first"),
        node("Relu", "a", "b", "skipped"),
        node("Relu", "x", "c", "foreign", domain="acme"),
        node("Relu", "x", "d", "fast", speed=2),
        node("LayerNormalization", "x s", "e", "early"),
        node("And", "x x", "f", "logic"),
        node("MaxPool", "x indices", "g", "inputs", kernel_shape=[2, 2]),
        node("MaxPool", "x", "h", "pool"),
        node("Relu", "x", "i1 i2", "outputs"),
        node("Concat", "x x", "j", "axis", axis=7),
        node("Cast", "x", "k", "complex", to=TensorProto.COMPLEX64),
        node("Relu", "x", "y", "good"),
    ], [info("x", [1, 3, 8, 8])], [info("y", [1, 3, 8, 8]), info("b", None), info("j", None)], [floats("s", [8], range(8))],
        opset=13, opsets=[("", 13), ("acme", 1)])


def opsets():
    nodes = [node("Relu", "x", "y")]
    ports = [info("x", [2])], [info("y", [2])]
    model("opset-future", nodes, *ports, opset=99)
    model("opset-none", nodes, *ports, opsets=[])


def structure():
    x, y = [info("x", [2])], [info("y", [2])]
    model("cycle", [node("Add", "x b", "a", "one"), node("Relu", "a", "b", "two"), node("Relu", "b", "y", "three")], x, y)
    model("missing", [node("Add", "x weights", "y", "add")], x, y)
    model("twice", [node("Relu", "x", "y", "one"), node("Abs", "x", "y", "two")], x, y)
    model("no-output", [node("Relu", "x", "z", "one")], x, y)
    model("attribute-twice", [node("Concat", "x x", "y", "cat", axis=0)], x, [info("y", [4])])
    m = ModelProto()
    with open(os.path.join(HERE, "attribute-twice.onnx"), "rb") as f:
        m.ParseFromString(f.read())
    m.graph.node[0].attribute.append(helper.make_attribute("axis", 1))
    write("attribute-twice", m.SerializeToString(deterministic=True))
    f = FunctionProto(name="Loop", domain="own", input=["a"], output=["b"], opset_import=[helper.make_opsetid("own", 1)],
                      node=[node("Loop", "a", "b", domain="own")])
    model("function-recursive", [node("Loop", "x", "y", "call", domain="own")], x, y, opsets=[("", 17), ("own", 1)], functions=[f])
    write("empty", b"")
    write("text", b"#!/bin/sh\necho this is no model\n")
    with open(os.path.join(HERE, "cycle.onnx"), "rb") as f:
        write("truncated", f.read()[:-9])


def types():
    y = [info("y", None)]
    model("type-complex", [node("Relu", "x", "y")], [info("x", [2], TensorProto.COMPLEX64)], y)
    model("type-mixed", [node("Add", "x i", "y", "mixed")], [info("x", [2]), info("i", [2], TensorProto.INT64)], y)
    model("shape-none", [node("Relu", "x", "y")], [helper.make_tensor_value_info("x", F, None)], y)
    model("shape-clash", [node("Add", "x z", "y", "clash")], [info("x", [2, 3]), info("z", [4])], y)
    model("shape-data", [node("Reshape", "x s", "y", "by data")], [info("x", [6]), info("s", [2], TensorProto.INT64)], y)
    model("output-type", [node("Relu", "x", "y")], [info("x", [2])], [info("y", [2], TensorProto.INT32)])


def weights():
    x, y = [info("x", [4])], [info("y", [4])]
    add = [node("Add", "x w", "y", "add")]
    model("weights-short", add, x, y, [TensorProto(name="w", data_type=F, dims=[4], raw_data=b"\0" * 12)])
    model("weights-huge", add, x, y, [TensorProto(name="w", data_type=F, dims=[1 << 40, 1 << 40], raw_data=b"")])
    model("weights-negative", add, x, y, [TensorProto(name="w", data_type=F, dims=[-4], raw_data=b"")])
    model("external-up", add, x, y, [external("w", [4], location="../make.py")])
    model("external-absolute", add, x, y, [external("w", [4], location="/etc/hostname")])
    model("external-missing", add, x, y, [external("w", [4], location="nowhere.bin")])
    model("external-beyond", add, x, y, [external("w", [4], location="weights.bin", offset=8)])
    model("external", add, x, y, [external("w", [4], location="weights.bin", offset=0, length=16)])
    with open(os.path.join(HERE, "weights.bin"), "wb") as f:
        f.write(struct.pack("<4f", 10, 20, 30, 40))


# ---- models that compile ------------------------------------------------------------------------------------------------------


def old_opsets():
    """Meanings that newer opsets changed: attributes that became inputs, broadcasting by axis, softmax of flattened inputs."""
    x = [info("x", [2, 3, 4])]
    model("old-1", [
        node("Reshape", "x", "reshape", shape=[0, -1]),
        node("Clip", "x", "clip", min=2.0, max=5.0),
        node("Add", "x bias", "add", broadcast=1, axis=1),
        node("Pad", "reshape", "pad", paddings=[0, 1, 0, 0], mode="constant", value=-1.0),
        node("Concat", "x x", "concat"),
    ], x, [info("reshape", [2, 12]), info("clip", [2, 3, 4]), info("add", [2, 3, 4]), info("pad", [2, 13]), info("concat", [2, 6, 4])],
        [floats("bias", [3], [100, 200, 300])], opset=1)
    model("old-6", [
        node("Slice", "x", "slice", axes=[2], starts=[1], ends=[-1]),
        node("Squeeze", "one", "squeeze", axes=[0]),
        node("Unsqueeze", "x", "unsqueeze", axes=[0]),
        node("Split", "x", "left right", axis=2, split=[1, 3]),
        node("ReduceSum", "x", "sum", axes=[1], keepdims=0),
        node("Softmax", "zero", "softmax"),
        node("Gemm", "a b c", "gemm", broadcast=1, transB=1, beta=2.0),
        node("Dropout", "x", "dropout", is_test=1),
    ], x, [info("slice", [2, 3, 2]), info("squeeze", [2]), info("unsqueeze", [1, 2, 3, 4]), info("left", [2, 3, 1]),
           info("sum", [2, 4]), info("softmax", [1, 2, 2]), info("gemm", [2, 2]), info("dropout", [2, 3, 4])],
        [floats("one", [1, 2], [7, 8]), floats("zero", [1, 2, 2], [0] * 4), floats("a", [2, 2], [1, 2, 3, 4]),
         floats("b", [2, 2], [1, 0, 0, 1]), floats("c", [2], [10, 20])], opset=6)
    model("old-9", [
        node("Upsample", "x scales", "upsample", mode="nearest"),
        node("TopK", "x", "values indices", axis=2, k=1),
        node("Slice", "x", "slice", starts=[0, 2], ends=[1, 3]),
        node("ReduceMax", "x", "max", axes=[0, 2], keepdims=1),
        node("LogSoftmax", "zero", "logsoftmax", axis=1),
    ], x, [info("upsample", [2, 3, 8]), info("values", [2, 3, 1]), info("indices", [2, 3, 1], TensorProto.INT64),
           info("slice", [1, 1, 4]), info("max", [1, 3, 1]), info("logsoftmax", [1, 2, 2])],
        [floats("scales", [3], [1, 1, 2]), floats("zero", [1, 2, 2], [0] * 4)], opset=9)


def shapes():
    """What exporters do to flatten: all of it is known while compiling."""
    model("shapes", [
        node("Shape", "x", "shape", "shape"),
        node("Gather", "shape zero", "batch", "batch", axis=0),
        node("Unsqueeze", "batch axes", "batch1", "one"),
        node("Concat", "batch1 rest", "to", "to", axis=0),
        node("Reshape", "x to", "flat", "flat"),
        node("Mul", "flat scale", "y", "scale"),
    ], [info("x", ["batch", 3, 4])], [info("y", ["batch", 12])],
        [ints("zero", [0], []), ints("axes", [0]), ints("rest", [-1]), floats("scale", [], [2])])


def functions():
    """A function of the model, with an attribute of the call in it."""
    body = node("LeakyRelu", "a", "b", "inner")
    body.attribute.append(AttributeProto(name="alpha", ref_attr_name="slope", type=AttributeProto.FLOAT))
    f = FunctionProto(name="Twice", domain="own", input=["a"], output=["c"], attribute=["slope"],
                      opset_import=[helper.make_opsetid("", 17)], node=[body, node("Add", "b b", "c", "double")])
    model("function", [node("Neg", "x", "n", "neg"), node("Twice", "n", "y", "call", domain="own", slope=0.25)],
          [info("x", [4])], [info("y", [4])], opsets=[("", 17), ("own", 1)], functions=[f])


def trees():
    """Two trees of different depths: as a regressor with two targets, and as a classifier of two classes by one score."""
    leaf, less, more = "LEAF", "BRANCH_LEQ", "BRANCH_GT"
    nodes = dict(nodes_treeids=[0, 0, 0, 0, 0, 1, 1, 1], nodes_nodeids=[0, 1, 2, 3, 4, 0, 1, 2], nodes_featureids=[0, 1, 0, 0, 0, 1, 0, 0],
                 nodes_values=[0.5, 2.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0], nodes_modes=[less, more, leaf, leaf, leaf, less, leaf, leaf],
                 nodes_truenodeids=[1, 3, 0, 0, 0, 1, 0, 0], nodes_falsenodeids=[2, 4, 0, 0, 0, 2, 0, 0],
                 nodes_missing_value_tracks_true=[0, 0, 0, 0, 0, 1, 0, 0], domain="ai.onnx.ml")
    leaves = dict(treeids=[0, 0, 0, 1, 1], nodeids=[2, 3, 4, 1, 2])
    model("trees", [
        node("TreeEnsembleRegressor", "x", "y", "regressor", n_targets=2, target_ids=[0, 0, 1, 1, 0],
             target_weights=[1.0, 2.0, 3.0, 10.0, 20.0], base_values=[0.5, 0.25],
             **{"target_" + k: v for k, v in leaves.items()}, **nodes),
        node("TreeEnsembleClassifier", "x", "label score", "classifier", classlabels_int64s=[4, 7], class_ids=[0] * 5,
             class_weights=[-1.0, 2.0, 0.5, -0.5, 1.5], post_transform="LOGISTIC", **{"class_" + k: v for k, v in leaves.items()}, **nodes),
    ], [info("x", ["n", 2])], [info("y", ["n", 2]), info("label", ["n"], TensorProto.INT64), info("score", ["n", 2])],
        opsets=[("", 17), ("ai.onnx.ml", 3)])


def svm():
    """A regressor, and a classifier of three classes by votes of pairs, with probabilities and with the scores of the pairs."""
    ml, kernel = "ai.onnx.ml", dict(kernel_type="RBF", kernel_params=[0.5, 0.0, 3.0])
    vectors = [0.0, 0.0, 1.0, 0.0, 0.0, 2.0, 3.0, 1.0]
    classes = dict(classlabels_ints=[7, 3, 5], vectors_per_class=[1, 2, 1], support_vectors=vectors,
                   coefficients=[1.0, -0.5, -0.5, -1.0, 1.0, 0.5, 1.0, -1.0], rho=[0.1, 0.2, -0.3], domain=ml, **kernel)
    model("svm", [
        node("SVMRegressor", "x", "y", "regressor", n_supports=4, coefficients=[1.0, 2.0, -1.0, 0.5], rho=[0.25], support_vectors=vectors,
             kernel_type="POLY", kernel_params=[0.5, 1.0, 2.0], domain=ml),
        node("SVMClassifier", "x", "label score", "scores", **classes),
        node("SVMClassifier", "x", "same chance", "chances", prob_a=[-2.0, -1.5, -1.0], prob_b=[0.0, 0.1, -0.1], **classes),
    ], [info("x", ["n", 2])], [info("y", ["n", 1]), info("label", ["n"], TensorProto.INT64), info("score", ["n", 3]),
                              info("same", ["n"], TensorProto.INT64), info("chance", ["n", 3])], opsets=[("", 17), (ml, 1)])


def qlinear():
    """Quantised tensors through operators of com.microsoft; weights of 4 bits, two blocks of 8 to a row."""
    ms = "com.microsoft"

    def scalar(name, type, v):
        return helper.make_tensor(name, type, [], [v])

    u8, i8 = TensorProto.UINT8, TensorProto.INT8
    model("qlinear", [
        node("QLinearAdd", "x sx zx x sx zx sy zy", "sum", "sum", ms),
        node("QLinearMul", "x sx zx sum sy zy sy zx", "product", "product", ms),
        node("QLinearAveragePool", "x sx zx sy zy", "mean", "mean", ms, kernel_shape=[2]),
        node("QLinearSoftmax", "x sx zx sp zx", "softmax", "softmax", ms, axis=-1, opset=13),
        node("QLinearConcat", "sy zy x sx zx sum sy zy", "both", "both", ms, axis=2),
        node("Squeeze", "x axis", "row", "row"),
        node("QGemm", "row sx zx w sw zw c sy zy", "gemm", "gemm", ms, transB=1),
        node("DynamicQuantizeMatMul", "a wt sw zw", "dynamic", "dynamic", ms),
        node("MatMulNBits", "a w4 s4 z4", "nbits", "nbits", ms, K=4, N=2, bits=4, block_size=16),
        node("DynamicQuantizeLSTM", "steps wl rl    c0  swl zwl swl zwl", "lstm", "lstm", ms, hidden_size=1),
    ], [info("x", ["n", 1, 4], u8), info("a", ["m", 4])],
        [info(name, None, u8) for name in ("sum", "product", "mean", "softmax", "both", "gemm")] +
        [info(name, None) for name in ("dynamic", "nbits", "lstm")], [
        floats("sx", [], [0.5]), scalar("zx", u8, 1), floats("sy", [], [0.25]), scalar("zy", u8, 3), floats("sp", [], [1 / 256]),
        ints("axis", [1]), helper.make_tensor("w", i8, [2, 4], [1, 2, 3, 4, -1, 0, 1, 0]), floats("sw", [2], [1, 0.5]),
        helper.make_tensor("zw", i8, [2], [0, 0]), helper.make_tensor("c", TensorProto.INT32, [2], [4, -2]),
        helper.make_tensor("wt", i8, [4, 2], [1, -1, 2, 0, 3, 1, 4, 0]),
        helper.make_tensor("w4", u8, [2, 1, 8], [0x21, 0x43] + [0] * 6 + [0x9a, 0x78] + [0] * 6), floats("s4", [2], [1, 2]),
        helper.make_tensor("z4", u8, [2, 1], [0, 8]),
        floats("steps", [2, 1, 1], [1, -0.5]), helper.make_tensor("wl", i8, [1, 1, 4], [10, 20, 30, 40]),
        helper.make_tensor("rl", i8, [1, 1, 4], [-10, 5, 15, 25]), floats("c0", [1, 1, 1], [0.5]), floats("swl", [1], [0.1]),
        helper.make_tensor("zwl", i8, [1], [0])],
        opsets=[("", 17), (ms, 1)])


def strings():
    """Numbers become texts; those become numbers again, columns, counts of words and labels."""
    ml, s = "ai.onnx.ml", TensorProto.STRING
    texts = ["red fox", "a red, red box", ""]
    model("strings", [
        node("LabelEncoder", "x", "text", "texts", ml, keys_int64s=[0, 1, 2], values_strings=texts, default_string="other fox"),
        node("LabelEncoder", "text", "back", "back", ml, keys_strings=texts[1:] + texts[1:], values_int64s=[10, 20, 30, 40]),
        node("LabelEncoder", "text", "real", "real", ml, keys_strings=texts, values_floats=[0.5, 1.5, 2.5], default_float=-1.0),
        node("OneHotEncoder", "text", "columns", "columns", ml, cats_strings=texts[:2], zeros=1),
        node("CategoryMapper", "back", "mapped", "mapped", ml, cats_strings=["ten", "twenty"], cats_int64s=[10, 20]),
        node("Tokenizer", "text", "words", "words", "com.microsoft", mark=0, mincharnum=2, pad_value="#", tokenexp="[a-z]+"),
        node("TfIdfVectorizer", "words", "counts", "counts", mode="TF", min_gram_length=1, max_gram_length=1, max_skip_count=0,
             ngram_counts=[0], ngram_indexes=[2, 0, 1], pool_strings=["red", "fox", "a"]),
        node("TfIdfVectorizer", "text", "pairs", "pairs", mode="TF", min_gram_length=2, max_gram_length=2, max_skip_count=0,
             ngram_counts=[0, 0], ngram_indexes=[0, 1], pool_strings=texts[:2] + texts[1:]),
        node("LinearClassifier", "counts", "label score", "classifier", ml, classlabels_strings=["fox", "box", "none"],
             coefficients=[2.0, 0.0, 1.0, 0.0, 0.0, 1.5, 0.0, 0.0, 0.0], intercepts=[0.0, 0.0, 0.5]),
    ], [info("x", ["n"], TensorProto.INT64)],
        [info("text", ["n"], s), info("back", ["n"], TensorProto.INT64), info("real", ["n"]), info("columns", ["n", 2]),
         info("mapped", ["n"], s), info("counts", ["n", 3]), info("pairs", [2]), info("label", ["n"], s), info("score", ["n", 3])],
        opsets=[("", 17), (ml, 2), ("com.microsoft", 1)])
    tokenizer = dict(mark=0, mincharnum=1, pad_value="#")
    model("strings-refused", [
        node("Tokenizer", "x", "a", "separators", "com.microsoft", separators=[" "], **tokenizer),
        node("Tokenizer", "x", "b", "alternatives", "com.microsoft", tokenexp="red|fox", **tokenizer),
        node("Tokenizer", "x", "c", "words", "com.microsoft", tokenexp="\\w+", **tokenizer),
        node("Relu", "c", "d", "relu"),
        node("Transpose", "x", "e", "transposed"),
        node("Equal", "x x", "f", "equal"),
        node("LabelEncoder", "x", "g", "encoder", ml, keys_int64s=[1], values_int64s=[2]),
    ], [info("x", ["n", 2], s)], [info("d", None), info("e", None, s), info("f", None, TensorProto.BOOL), info("g", None, TensorProto.INT64)],
        opsets=[("", 17), (ml, 2), ("com.microsoft", 1)])
    model("strings-unknown", [node("LabelEncoder", "x", "t", "t", ml, keys_int64s=[0, 1], values_strings=["a", "b"]),
                              node("OneHotEncoder", "t", "y", "y", ml, cats_strings=["a", "b"], zeros=0)],
          [info("x", ["n"], TensorProto.INT64)], [info("y", ["n", 2])], opsets=[("", 17), (ml, 2)])


def pipeline():
    """The model of docs/pipeline.md: a convolution, batch normalisation, relu, and a softmax over the channels of each pixel."""
    model("pipeline", [
        node("Conv", "image w", "c", "conv1", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        node("BatchNormalization", "c scale shift mean variance", "n", "bn1", epsilon=0.0),
        node("Relu", "n", "r", "relu1"),
        node("Softmax", "r", "classes", "softmax1", axis=1),
    ], [info("image", ["batch", 1, 8, 8])], [info("classes", ["batch", 8, 8, 8])], [
        floats("w", [8, 1, 3, 3], [(i * 5 + i // 9) % 7 - 3 for i in range(72)]), floats("scale", [8], [2] * 8),
        floats("shift", [8], [1] * 8), floats("mean", [8], range(8)), floats("variance", [8], [1] * 8)])


def sequences():
    """Sequences exist while compiling only: a doubled one goes in and out, another is made, changed and read inside."""
    doubled = helper.make_graph([node("Add", "e e", "twice")], "body", [info("e", None)], [info("twice", None)])
    sequence = helper.make_sequence_type_proto(helper.make_tensor_type_proto(F, None))
    model("sequences", [
        node("SequenceMap", "s", "doubled", "map", body=doubled),
        node("SplitToSequence", "x", "rows", "split", axis=0, keepdims=0),
        node("SequenceErase", "rows first", "shorter", "erase"),
        node("SequenceInsert", "shorter last", "longer", "insert"),
        node("ConcatFromSequence", "longer", "y", "join", axis=0, new_axis=1),
        node("SequenceLength", "s", "n", "length"),
        node("SequenceAt", "rows place", "row", "at"),
        node("OptionalHasElement", "o", "has", "has"),
    ], [helper.make_value_info("s", sequence), info("x", [3, 2]), info("place", [], TensorProto.INT64),
        helper.make_value_info("o", helper.make_optional_type_proto(sequence))],
        [helper.make_value_info("doubled", sequence), info("y", [3, 2]), info("n", [], TensorProto.INT64), info("row", [2]),
         info("has", [], TensorProto.BOOL)],
        [ints("first", [0], []), floats("last", [2], [7, 8])], opset=18)
    model("sequence-branch", [
        node("If", "c", "y", "choice",
             then_branch=helper.make_graph([node("SequenceConstruct", "x x", "a")], "then", [], [helper.make_value_info("a", sequence)]),
             else_branch=helper.make_graph([node("SequenceConstruct", "x", "b")], "else", [], [helper.make_value_info("b", sequence)])),
        node("Relu", "s", "r", "relu"),
    ], [info("c", [], TensorProto.BOOL), info("x", [2]), helper.make_value_info("s", sequence)],
        [helper.make_value_info("y", sequence), info("r", [2])], opset=18)


def tails():
    model("tails", [node("Mul", "x step", "m", "m"), node("Softplus", "m", "y", "y"), node("Mish", "m", "z", "z")],
          [info("x", [6])], [info("y", [6]), info("z", [6])], [floats("step", [], [-7])], opset=18)


if __name__ == "__main__":
    os.makedirs(HERE, exist_ok=True)
    for make in (unsupported, opsets, structure, types, weights, old_opsets, shapes, functions, sequences, trees, svm, qlinear, strings, pipeline, tails):
        make()
    sys.stdout.write("%d files in %s\n" % (len(os.listdir(HERE)), HERE))
