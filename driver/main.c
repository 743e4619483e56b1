/* dlcc: an ahead-of-time compiler for ONNX models.  This file is the list of its commands and what --help prints. */
#include "driver/compile.h"
#include "driver/driver.h"

static const struct { command c; int (*run)(options *o, diag *d); } commands[] = {
	{COMMAND_COMPILE, command_compile},
	{COMMAND_RUN, command_run},
	{COMMAND_TEST, command_test},
	{COMMAND_BENCH, command_bench},
};

static void list_ops(void)
{
	for (int i = 0; i < OP_COUNT; i++)
		printf("%-16s %s\n", op_table[i].text, op_table[i].purpose);
}

static void list_passes(void)
{
	for (int i = 0; i < pass_count; i++)
		printf("%-16s -O%d  %s\n", pass_table[i].name, pass_table[i].min_opt, pass_table[i].purpose);
}

static void list_targets(void)
{
	for (int i = 0; i < target_count(); i++) {
		const target *t = target_at(i);
		bool portable = target_default(t->arch) == t, here = target_find("native") == t;
		printf("%-14s %-8s %2d-byte vectors, %d registers  %s%s%s\n", t->name, t->arch, t->vector_bytes, t->vector_regs,
		       t->features, portable ? "  (default for objects)" : "", here ? "  (native)" : "");
	}
}

static void print_info(const options *o)
{
	switch (o->info) {
	case INFO_NONE: break;
	case INFO_HELP: options_help(stdout, o->command); break;
	case INFO_VERSION: printf("dlcc %s\n", DLCC_VERSION); break;
	case INFO_OPS: list_ops(); break;
	case INFO_ONNX: onnx_list_operators(stdout); break;
	case INFO_PASSES: list_passes(); break;
	case INFO_TARGETS: list_targets(); break;
	case INFO_MAN: options_man(stdout, DLCC_VERSION); break;
	}
}

static int run(options *o, diag *d)
{
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		if (commands[i].c == o->command)
			return commands[i].run(o, d);
	return 1;
}

int main(int argc, char **argv)
{
	arena *a = arena_new("command");
	diag *d = diag_new(a, stderr);
	options o;
	int status = 1;
	if (options_parse(&o, a, argc, argv, d)) {
		if (o.info) {
			print_info(&o);
			status = 0;
		} else {
			status = run(&o, d);
		}
	}
	if (fflush(stdout) || ferror(stdout))
		fatal("cannot write to standard output");
	arena_free(a);
	return status;
}
