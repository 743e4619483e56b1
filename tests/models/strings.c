/* The model of tests/golden/graph/strings.ir in a program: strings go in, numbers and strings that the model holds come out. */
#include "strings.h"

#include <stdio.h>
#include <string.h>

static int failed;

static void expect(int holds, const char *what)
{
	if (!holds) {
		printf("FAIL %s\n", what);
		failed = 1;
	}
}

static int is(dlrt_string s, const char *text) { return s.size == strlen(text) && !memcmp(s.bytes, text, s.size); }

int main(void)
{
	/* without a terminating zero; bytes beyond ASCII are no part of words */
	const dlrt_string x[] = {{"green7", 5}, {"red red9 x \xc3\xa9red", 16}, {"", 0}, {"x", 1}};
	const int64_t i[] = {2, 0}, found[] = {1, -1, -1, 2};
	int64_t f[4], w[12];
	dlrt_string p[2];
	expect(strings_run(x, i, f, p, w, 2, NULL, NULL) == DLRT_OK, "the run");
	expect(!memcmp(f, found, sizeof f), "places");
	expect(is(p[0], "x") && is(p[1], "red"), "strings by index");
	expect(w[1] == 1 && w[3] == 2 && w[4] == 0 && w[5] == 0 && w[11] == 0, "words");
	return failed;
}
