# Golden tests: `lit tests/golden`, with the compiler in $DLCC, or in the build directory $DLCC_BUILD (default: build).
#
# Substitutions: dlcc; %roundtrip exact: FILE is what dlcc prints of it; %rejects: dlcc rejects every part of FILE;
# %runs: runs FILE in every mode and prints its outputs, which are the same in all; %tests: tests DIR/net.ir in every mode.
# Features: x86_64, aarch64 (the host), avx2, avx512 (what it executes), asan (a sanitized compiler), qemu-aarch64.
import os
import platform
import shutil
import sys

import lit.formats

root = os.path.dirname(os.path.abspath(__file__))
build = os.environ.get("DLCC_BUILD") or os.path.join(root, "..", "..", "build")
dlcc = os.path.abspath(os.environ.get("DLCC") or os.path.join(build, "dlcc"))
if not os.access(dlcc, os.X_OK):
    lit_config.fatal("no compiler at %s: set DLCC_BUILD or DLCC" % dlcc)

config.name = "dlcc"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".ir", ".test"]
config.test_source_root = root
config.test_exec_root = os.path.join(os.path.dirname(dlcc), "golden")
os.makedirs(config.test_exec_root, exist_ok=True)

# FileCheck and not: beside lit, else on PATH.
beside = os.path.dirname(os.path.realpath(sys.argv[0]))
versions = ["/usr/lib/llvm-%d/bin" % v for v in (22, 19)]
config.environment["PATH"] = os.pathsep.join([beside] + versions + [os.environ.get("PATH", "")])
for name in ("FileCheck", "not", "split-file", "llvm-objdump", "llvm-nm"):
    if not shutil.which(name, path=config.environment["PATH"]):
        lit_config.fatal("%s not found: install llvm-22-tools" % name)
for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
    if name in os.environ:
        config.environment[name] = os.environ[name]

word = r"(?<![\w./-])%s(?![\w./-])"
config.substitutions.append((word % "dlcc", dlcc))
config.substitutions.append(("%roundtrip", "sh %s/round_trip.sh %s" % (root, dlcc)))
config.substitutions.append(("%rejects", "sh %s/rejects.sh %s" % (root, dlcc)))

config.available_features.add(platform.machine())
try:
    flags = set(open("/proc/cpuinfo").read().split())
except OSError:
    flags = set()
if {"avx2", "fma", "f16c"} <= flags:
    config.available_features.add("avx2")
if {"avx512f", "avx512bw", "avx512dq", "avx512vl"} <= flags:
    config.available_features.add("avx512")
if shutil.which("qemu-aarch64"):
    config.available_features.add("qemu-aarch64")
with open(dlcc, "rb") as f:
    if b"__asan_init" in f.read():
        config.available_features.add("asan")
python = "'%s'" % sys.executable
modes = "%s %s/modes.py %s '%s'" % (python, root, dlcc, " ".join(sorted(config.available_features)))
config.substitutions += [("%runs", modes + " run"), ("%tests", modes + " test"), ("%python", python)]
