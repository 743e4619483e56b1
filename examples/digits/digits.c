/* Reads handwritten digits with a network that was compiled into this program.
 *
 *	dlcc digits_cnn.onnx --dim batch=1 -o digits_cnn.o
 *	cc digits.c digits_cnn.o -ldlrt -lm -lpthread -o digits
 *
 * The network has one input, an 8 x 8 picture with values from 0 to 1, and one output: a score for each digit. */
#define _POSIX_C_SOURCE 200809L
#include "digits_cnn.h"
#include "pictures.h"

#include <stdalign.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { PIXELS = PICTURE_SIDE * PICTURE_SIDE, DIGITS = 10, SIDE_BY_SIDE = 6, TIMED_RUNS = 2000 };

/* Everything that a run needs: it never allocates. */
static alignas(DLRT_WORKSPACE_ALIGN) unsigned char workspace[DIGITS_CNN_WORKSPACE_BYTES];

/* The digit in the picture, or -1 after an error. */
static int read_digit(const picture *p)
{
	float image[PIXELS], scores[DIGITS];
	for (int i = 0; i < PIXELS; i++)
		image[i] = (float)p->pixels[i] / PICTURE_INK;
	dlrt_status status = digits_cnn_run(image, scores, workspace, NULL);
	if (status != DLRT_OK) {
		fprintf(stderr, "digits_cnn: %s\n", dlrt_strerror(status));
		return -1;
	}
	int best = 0;
	for (int i = 1; i < DIGITS; i++)
		if (scores[i] > scores[best])
			best = i;
	return best;
}

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* A row of pictures as text, two characters to a pixel. */
static void draw(const picture *p, int n)
{
	static const char shades[] = " .:-=+*#%@";
	for (int y = 0; y < PICTURE_SIDE; y++) {
		for (int i = 0; i < n; i++) {
			for (int x = 0; x < PICTURE_SIDE; x++) {
				size_t ink = p[i].pixels[y * PICTURE_SIDE + x];
				char c = shades[ink * (sizeof shades - 2) / PICTURE_INK];
				putchar(c);
				putchar(c);
			}
			fputs(i + 1 < n ? "   " : "\n", stdout);
		}
	}
}

int main(void)
{
	int right = 0;
	for (int first = 0; first < N_PICTURES; first += SIDE_BY_SIDE) {
		int n = N_PICTURES - first < SIDE_BY_SIDE ? N_PICTURES - first : SIDE_BY_SIDE;
		draw(&pictures[first], n);
		for (int i = 0; i < n; i++) {
			int read = read_digit(&pictures[first + i]), digit = pictures[first + i].digit;
			char caption[48];
			if (read < 0)
				return 1;
			right += read == digit;
			snprintf(caption, sizeof caption, "read %d, is %d%s", read, digit, read == digit ? "" : "  (!)");
			printf("%-*s%s", 2 * PICTURE_SIDE, caption, i + 1 < n ? "   " : "\n\n");
		}
	}

	double start = now();
	for (int i = 0; i < TIMED_RUNS; i++)
		read_digit(&pictures[i % N_PICTURES]);
	double each = (now() - start) / TIMED_RUNS;
	printf("%d of %d digits read correctly, %.1f microseconds each, %d bytes of working memory\n", right, N_PICTURES,
	       each * 1e6, (int)sizeof workspace);
	return right == N_PICTURES ? 0 : 1;
}
