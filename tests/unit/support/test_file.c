#define _GNU_SOURCE /* mkdtemp, symlink, mkfifo */
#include "tests/unit/unit.h"

#include "support/arena.h"
#include "support/diag.h"
#include "support/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct world {
	arena *a;
	diag *d;
	char *dir;
} world;

static char *in(world *w, const char *name)
{
	return arena_printf(w->a, "%s/%s", w->dir, name);
}

static int open_world(void **state)
{
	arena *a = arena_new("test");
	world *w = new(a, world);
	w->a = a;
	w->d = diag_new(a, NULL);
	w->dir = mkdtemp(arena_strdup(a, "/tmp/dlcc-test-XXXXXX"));
	*state = w;
	return w->dir ? 0 : -1;
}

static int close_world(void **state)
{
	world *w = *state;
	int failed = system(arena_printf(w->a, "rm -r '%s'", w->dir));
	arena_free(w->a);
	return failed;
}

static void files_are_written_and_mapped(void **state)
{
	world *w = *state;
	static const struct {
		const char *text;
		size_t n;
	} rows[] = {{"weights", 7}, {"", 0}, {"a\0b", 3}, {"longer than the ones before", 27}};
	char *path = in(w, "out.o");
	for (size_t r = 0; r < N_ROWS(rows); r++) {
		assert_true(file_write_atomic(path, rows[r].text, rows[r].n, w->d));
		file_data f;
		assert_true(file_map(path, &f, w->d));
		assert_int_equal(f.size, rows[r].n);
		assert_memory_equal(f.data, rows[r].text, rows[r].n);
		assert_int_equal(f.mapped, rows[r].n > 0);
		file_unmap(&f);
		assert_int_equal(f.size, 0);
	}
	/* Permissions and links stay, and nothing is left beside the file. */
	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(symlink("out.o", in(w, "link.o")), 0);
	assert_true(file_write_atomic(in(w, "link.o"), "x", 1, w->d));
	struct stat st;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	assert_int_equal(st.st_size, 1);
	assert_int_equal(lstat(in(w, "link.o"), &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(system(arena_printf(w->a, "test $(ls '%s' | wc -l) = 2", w->dir)), 0);
	assert_true(file_write_atomic("/dev/null", "x", 1, w->d));
	assert_string_equal(diag_text(w->d), "");
}

static void what_is_no_file_is_refused(void **state)
{
	world *w = *state;
	file_data f;
	assert_int_equal(mkfifo(in(w, "pipe"), 0600), 0);
	static const struct {
		const char *path, *message;
	} rows[] = {
		{"missing", "cannot be opened"},
		{".", "is a directory"},
		{"pipe", "is not a regular file"},
	};
	for (size_t r = 0; r < N_ROWS(rows); r++) {
		diag *d = diag_new(w->a, NULL);
		assert_false(file_map(in(w, rows[r].path), &f, d));
		assert_non_null(strstr(diag_text(d), rows[r].message));
		assert_int_equal(diag_error_count(d), 1);
	}
	assert_false(file_map("/dev/null", &f, w->d));
	assert_false(file_write_atomic(in(w, "no/such/dir.o"), "x", 1, w->d));
	assert_false(file_write_atomic(w->dir, "x", 1, w->d));
	assert_int_equal(diag_error_count(w->d), 3);
}

static void models_cannot_leave_their_directory(void **state)
{
	world *w = *state;
	assert_true(make_dirs(in(w, "model/data/deep")));
	assert_true(file_write_atomic(in(w, "secret"), "secret", 6, w->d));
	assert_true(file_write_atomic(in(w, "model/data/deep/w.bin"), "good", 4, w->d));
	assert_int_equal(symlink("../secret", in(w, "model/link")), 0);
	assert_int_equal(symlink("..", in(w, "model/up")), 0);
	assert_int_equal(mkfifo(in(w, "model/pipe"), 0600), 0);
	static const struct {
		const char *path;
		bool ok;
	} rows[] = {
		{"data/deep/w.bin", true},
		{"./data//deep/./w.bin", true},
		{"../secret", false},
		{"data/../../secret", false},
		{"data/..", false},
		{"..", false},
		{"link", false},
		{"up/secret", false},
		{"up/model/data/deep/w.bin", false},
		{"pipe", false},
		{"data", false},
		{".", false},
		{"", false},
		{"/etc/passwd", false},
		{"missing", false},
		{"data/deep/w.bin/x", false},
	};
	for (size_t r = 0; r < N_ROWS(rows); r++) {
		diag *d = diag_new(w->a, NULL);
		file_data f;
		assert_int_equal(file_open_below(in(w, "model"), rows[r].path, &f, d), rows[r].ok);
		assert_int_equal(diag_error_count(d), !rows[r].ok);
		if (rows[r].ok)
			assert_memory_equal(f.data, "good", 4);
		file_unmap(&f);
	}
}

static void paths_have_parts(void **state)
{
	world *w = *state;
	static const struct {
		const char *path, *dir, *base, *stem;
	} rows[] = {
		{"a/b.c", "a", "b.c", "b"},       {"b.c", ".", "b.c", "b"},     {"/b", "/", "b", "b"},
		{"/a/b/", "/a", "b", "b"},        {"a//b", "a", "b", "b"},      {"x/.rc", "x", ".rc", ".rc"},
		{"a.d/b", "a.d", "b", "b"},       {"m.tar.gz", ".", "m.tar.gz", "m.tar"},
		{"", ".", "", ""},                {"//a", "/", "a", "a"},
	};
	for (size_t r = 0; r < N_ROWS(rows); r++) {
		assert_string_equal(path_dir(w->a, rows[r].path), rows[r].dir);
		assert_string_equal(path_base(w->a, rows[r].path), rows[r].base);
		assert_string_equal(path_stem(w->a, rows[r].path), rows[r].stem);
	}
}

static void directories_are_made(void **state)
{
	world *w = *state;
	assert_false(path_exists(in(w, "x")));
	assert_true(make_dirs(in(w, "x/y/z/")));
	assert_true(make_dirs(in(w, "x/y/z")));
	assert_true(path_is_dir(in(w, "x/y/z")));
	assert_true(file_write_atomic(in(w, "x/file"), "", 0, w->d));
	assert_true(path_exists(in(w, "x/file")));
	assert_false(path_is_dir(in(w, "x/file")));
	assert_false(make_dirs(in(w, "x/file")));
	assert_false(make_dirs(in(w, "x/file/y")));
}

int main(void)
{
#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, open_world, close_world)
	const struct CMUnitTest tests[] = {
		IN_WORLD(files_are_written_and_mapped),
		IN_WORLD(what_is_no_file_is_refused),
		IN_WORLD(models_cannot_leave_their_directory),
		IN_WORLD(paths_have_parts),
		IN_WORLD(directories_are_made),
	};
	return RUN_TESTS(tests);
}
