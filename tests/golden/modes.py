# Runs a compiler in every mode that must give the same results.
#
#   modes.py DLCC FEATURES run FILE [OPTIONS]      prints the outputs at -O0; those of all other modes are the same text
#   modes.py DLCC FEATURES test DIR [OPTIONS]      DIR/net.ir gives the outputs of every data set DIR/data*
import glob
import os
import subprocess
import sys

MODES = ["-O0", "-O1", "-O3 --verify-each", "-O3 --threads=3", "-O3 --sanitize", "-O0 --sanitize"]
CPUS = {"x86_64": "x86-64", "avx2": "x86-64-v3", "avx512": "x86-64-v4"}


def outputs(command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit("%s\n%s%s: exit code %d" % (done.stdout, done.stderr, " ".join(command), done.returncode))
    return done.stdout


def main():
    dlcc, features, what, target, *options = sys.argv[1:]
    if what == "test":
        options = sorted(glob.glob(os.path.join(target, "data*"))) + options
        target = os.path.join(target, "net.ir")
    first = None
    for mode in MODES + ["-O3 --cpu=" + CPUS[f] for f in sorted(CPUS) if f in features.split()]:
        text = outputs([dlcc, what, target] + options + mode.split())
        if what == "run" and first is None:
            first = text
            print(text, end="")
        elif what == "run" and text != first:
            sys.exit("%s: differs from -O0:\n%s" % (mode, text))
    if what == "test":
        print("the same in all modes")


main()
