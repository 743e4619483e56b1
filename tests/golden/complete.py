# Every row of a table has its golden file: prints the rows that have none, then "complete: N rows".
#
#   complete.py DLCC DIR      ops: a printed line of DIR/graph/*.ir, in a file that is compared with what is printed;
#                             passes: a file of DIR/passes whose RUN line names the pass
import glob
import os
import re
import subprocess
import sys


def rows(dlcc, option):
    text = subprocess.run([dlcc, option], capture_output=True, text=True, check=True).stdout
    return [line.split()[0] for line in text.splitlines() if line.strip()]


def read(pattern):
    return [open(path).read() for path in glob.glob(pattern)]


def main():
    dlcc, root = sys.argv[1:]
    ops, passes = rows(dlcc, "--help-ops"), rows(dlcc, "--help-passes")
    exact = "\n".join(t for t in read(os.path.join(root, "graph", "*.ir")) if re.search(r"^# RUN: .*%roundtrip exact", t, re.M))
    runs = "\n".join(re.findall(r"^# RUN:.*--passes=(\S*)", "\n".join(read(os.path.join(root, "passes", "*.ir"))), re.M))
    missing = ["op %s has no round trip in graph/" % op for op in ops
               if not re.search(r"^  const " if op == "const" else r"^  %.* = " + op + r"\b", exact, re.M)]
    missing += ["pass %s has no file in passes/" % p for p in passes if not re.search(r"(^|[,\s])" + p + r"($|[,\s])", runs)]
    print("\n".join(missing + ["complete: %d rows" % (len(ops) + len(passes))] * (not missing)))


main()
