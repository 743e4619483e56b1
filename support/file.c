#define _GNU_SOURCE /* openat, O_NOFOLLOW, realpath, mmap */
#include "support/file.h"

#include "support/arena.h"
#include "support/diag.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const unsigned char nothing[1];

/* Maps what fd is open on and closes fd. `path` is for messages. */
static bool map_fd(int fd, const char *path, file_data *out, diag *d)
{
	struct stat st;
	bool ok = false;
	*out = (file_data){.data = nothing};
	if (fstat(fd, &st) < 0) {
		diag_error(d, DIAG_FILE(path), "cannot be read: %s", strerror(errno));
	} else if (S_ISDIR(st.st_mode)) {
		diag_error(d, DIAG_FILE(path), "is a directory");
	} else if (!S_ISREG(st.st_mode)) {
		diag_error(d, DIAG_FILE(path), "is not a regular file");
	} else if (st.st_size == 0) {
		ok = true;
	} else {
		void *data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		ok = data != MAP_FAILED;
		if (ok)
			*out = (file_data){.data = data, .size = (size_t)st.st_size, .mapped = true};
		else
			diag_error(d, DIAG_FILE(path), "cannot be mapped: %s", strerror(errno));
	}
	close(fd);
	return ok;
}

/* O_NONBLOCK: a pipe must be refused, not waited for. */
enum { READ_FLAGS = O_RDONLY | O_CLOEXEC | O_NONBLOCK };

bool file_map(const char *path, file_data *out, diag *d)
{
	int fd = open(path, READ_FLAGS);
	if (fd < 0) {
		*out = (file_data){.data = nothing};
		diag_error(d, DIAG_FILE(path), "cannot be opened: %s", strerror(errno));
		return false;
	}
	return map_fd(fd, path, out, d);
}

void file_drop_pages(const file_data *f)
{
	if (f->mapped)
		madvise((void *)f->data, f->size, MADV_DONTNEED);
}

void memory_ask_large_pages(void *at, size_t bytes)
{
#ifdef MADV_HUGEPAGE
	size_t page = (size_t)sysconf(_SC_PAGESIZE), skip = (0 - (uintptr_t)at) % page;
	if (bytes > skip)
		madvise((char *)at + skip, (bytes - skip) / page * page, MADV_HUGEPAGE);
#else
	(void)at, (void)bytes;
#endif
}

void file_unmap(file_data *f)
{
	if (f->mapped)
		munmap((void *)f->data, f->size);
	*f = (file_data){.data = nothing};
}

static bool write_all(int fd, const unsigned char *data, size_t n)
{
	while (n > 0) {
		ssize_t done = write(fd, data, n);
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return false;
		data += done;
		n -= (size_t)done;
	}
	return true;
}

static bool cannot_write(diag *d, const char *path)
{
	diag_error(d, DIAG_FILE(path), "cannot be written: %s", strerror(errno));
	return false;
}

/* Standard output may be redirected to a regular file that others append to as well, so it is never replaced. */
static int open_direct(const char *path)
{
	fflush(NULL);
	if (strcmp(path, "/dev/stdout") == 0)
		return dup(STDOUT_FILENO);
	if (strcmp(path, "/dev/stderr") == 0)
		return dup(STDERR_FILENO);
	return open(path, O_WRONLY | O_CLOEXEC);
}

static bool write_direct(const char *path, const void *data, size_t n, diag *d)
{
	int fd = open_direct(path);
	if (fd < 0)
		return cannot_write(d, path);
	bool ok = write_all(fd, data, n);
	int error = errno;
	if (close(fd) < 0 && ok) {
		ok = false;
		error = errno;
	}
	errno = error;
	return ok || cannot_write(d, path);
}

/* A new file beside `path`; its name is left in `name`. Not mkstemp, which ignores the umask. */
static int create_beside(const char *path, char *name, size_t room)
{
	for (int attempt = 0; attempt < 1000; attempt++) {
		snprintf(name, room, "%s.%ld-%d.tmp", path, (long)getpid(), attempt);
		int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
		if (fd >= 0 || errno != EEXIST)
			return fd;
	}
	return -1;
}

static bool replace(const char *path, const struct stat *old, const void *data, size_t n)
{
	size_t room = strlen(path) + 48;
	char *name = malloc(room);
	if (!name)
		fatal("out of memory: a file name");
	int fd = create_beside(path, name, room);
	bool ok = fd >= 0;
	if (ok) {
		ok = (!old || fchmod(fd, old->st_mode & 0777) == 0) && write_all(fd, data, n);
		int error = errno;
		if (close(fd) < 0 && ok) {
			ok = false;
			error = errno;
		}
		errno = error;
		if (ok)
			ok = rename(name, path) == 0;
		if (!ok) {
			error = errno;
			unlink(name);
			errno = error;
		}
	}
	free(name);
	return ok;
}

bool file_write_atomic(const char *path, const void *data, size_t n, diag *d)
{
	struct stat st;
	bool exists = stat(path, &st) == 0;
	bool standard = strcmp(path, "/dev/stdout") == 0 || strcmp(path, "/dev/stderr") == 0;
	if (standard || (exists && !S_ISREG(st.st_mode)))
		return write_direct(path, data, n, d);

	char *target = exists ? realpath(path, NULL) : NULL; /* a symbolic link stays one */
	bool ok = replace(target ? target : path, exists ? &st : NULL, data, n);
	free(target);
	return ok || cannot_write(d, path);
}

/* NULL, or why a model may not name this path. */
static const char *refused(const char *relative)
{
	if (!*relative)
		return "the path is empty";
	if (*relative == '/')
		return "the path is absolute";
	for (const char *part = relative; part; part = strchr(part, '/')) {
		part += *part == '/';
		size_t n = strcspn(part, "/");
		if (n == 2 && part[0] == '.' && part[1] == '.')
			return "the path leads upwards (\"..\")";
	}
	return NULL;
}

/* Opens one part after another, each relative to the directory before it: no link can be followed, not even one that
 * appears while we look. */
static int open_below(const char *dir, const char *relative)
{
	int at = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	while (at >= 0) {
		relative += strspn(relative, "/");
		size_t n = strcspn(relative, "/");
		bool last = relative[n + strspn(relative + n, "/")] == 0;
		char *part = strndup(relative, n);
		if (!part)
			fatal("out of memory: a file name");
		int flags = last ? READ_FLAGS | O_NOFOLLOW : O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
		int next = openat(at, part, flags);
		int error = errno;
		free(part);
		close(at);
		errno = error;
		if (last)
			return next;
		at = next;
		relative += n;
	}
	return -1;
}

bool file_open_below(const char *dir, const char *relative, file_data *out, diag *d)
{
	*out = (file_data){.data = nothing};
	const char *why = refused(relative);
	if (why) {
		diag_error(d, DIAG_FILE(relative), "refused: %s", why);
		diag_hint(d, "external data must lie below the model's directory");
		return false;
	}
	int fd = open_below(dir, relative);
	if (fd < 0) {
		if (errno == ELOOP || errno == EMLINK)
			diag_error(d, DIAG_FILE(relative), "refused: a part of the path is a symbolic link");
		else
			diag_error(d, DIAG_FILE(relative), "cannot be opened below \"%s\": %s", dir, strerror(errno));
		return false;
	}
	return map_fd(fd, relative, out, d);
}

/* Where the last part begins; trailing slashes do not count. *end is where it ends. */
static const char *last_part(const char *path, const char **end)
{
	const char *e = path + strlen(path);
	while (e > path + 1 && e[-1] == '/')
		e--;
	const char *p = e;
	while (p > path && p[-1] != '/')
		p--;
	*end = e;
	return p;
}

char *path_dir(arena *a, const char *path)
{
	const char *end, *p = last_part(path, &end);
	while (p > path + 1 && p[-1] == '/')
		p--;
	return p == path ? arena_strdup(a, *path == '/' ? "/" : ".") : arena_strndup(a, path, (size_t)(p - path));
}

char *path_base(arena *a, const char *path)
{
	const char *end, *p = last_part(path, &end);
	return arena_strndup(a, p, (size_t)(end - p));
}

char *path_stem(arena *a, const char *path)
{
	char *base = path_base(a, path);
	char *dot = strrchr(base, '.');
	if (dot && dot != base)
		*dot = 0;
	return base;
}

bool path_exists(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0;
}

bool path_is_dir(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool make_dir(const char *path)
{
	if (mkdir(path, 0777) == 0 || (errno == EEXIST && path_is_dir(path)))
		return true;
	if (errno == EEXIST)
		errno = ENOTDIR;
	return false;
}

bool make_dirs(const char *path)
{
	char *copy = strdup(path);
	if (!copy)
		fatal("out of memory: a file name");
	bool ok = true;
	for (char *p = copy; ok && *p; p++) {
		if (*p != '/' || p == copy)
			continue;
		*p = 0;
		ok = path_is_dir(copy) || make_dir(copy);
		*p = '/';
	}
	ok = ok && make_dir(copy);
	int error = errno;
	free(copy);
	errno = error;
	return ok;
}
