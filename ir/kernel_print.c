/* Kernel IR as text; the grammar is in docs/kernel_ir.md.  Every statement begins a line, and that line is its line in
 * debug information. */
#include "ir/kernel.h"
#include "ir/tensor_text.h"
#include "ir/text.h"

#include <string.h>

/* Constants of more elements are printed as a digest. */
enum { MAX_CONST_SHOWN = 16 };

typedef struct printer {
	str *out;
	int line;       /* of the text being written; 0: lines are not kept */
	int depth;
} printer;

/* ---- pieces ------------------------------------------------------------------------------------------------------ */

static void begin_line(printer *p)
{
	for (int i = 0; i < p->depth; i++)
		str_add(p->out, "  ");
}

static void end_line(printer *p)
{
	str_addc(p->out, '\n');
	if (p->line)
		p->line++;
}

static void print_array_type(str *out, dtype t, const sym *size)
{
	str_addf(out, "%s[", dtype_name(t));
	sym_print(out, size);
	str_addc(out, ']');
}

static void print_clause(str *out, const char *word, const sym *s)
{
	if (!s)
		return;
	str_addf(out, " %s ", word);
	sym_print(out, s);
}

static void print_element(str *out, const buffer *b, const sym *index)
{
	print_name(out, b->name);
	str_addc(out, '[');
	sym_print(out, index);
	str_addc(out, ']');
}

static void print_loop_head(str *out, const char *word, const sym *var, const sym *extent)
{
	str_addf(out, "%s ", word);
	print_name(out, var->name);
	str_add(out, " < ");
	sym_print(out, extent);
}

/* Without the parentheses around an infix operation. */
static void print_whole_expr(str *out, const expr *e)
{
	str text = str_new(out->a);
	expr_print(&text, e);
	if (text.data[0] == '(')
		str_addn(out, text.data + 1, text.len - 2);
	else
		str_addn(out, text.data, text.len);
}

/* ---- statements -------------------------------------------------------------------------------------------------- */

static void print_block(printer *p, const block *b);

static void print_for(printer *p, const stmt *s)
{
	static const char *const word[] = {[LOOP_SERIAL] = "for", [LOOP_VECTOR] = "vector", [LOOP_UNROLL] = "unroll"};
	print_loop_head(p->out, word[s->f.loop], s->f.var, s->f.extent);
	if (s->f.lanes)
		str_addf(p->out, " lanes %d", s->f.lanes);
	for (int i = 0; i < s->f.reductions.n; i++) {
		str_add(p->out, i ? ", " : " reduce(");
		print_name(p->out, s->f.reductions.v[i].l->name);
		str_addf(p->out, ": %s", expr_op_table[s->f.reductions.v[i].combine].name);
	}
	if (s->f.reductions.n)
		str_addc(p->out, ')');
	print_block(p, &s->f.body);
}

static void print_declaration(printer *p, const char *word, const stmt *s)
{
	str_addf(p->out, "%s ", word);
	print_name(p->out, s->set.l->name);
	if (s->set.l->type != F32)
		str_addf(p->out, ": %s", dtype_name(s->set.l->type));
	str_add(p->out, " = ");
	print_whole_expr(p->out, s->set.e);
}

static void print_branch(printer *p, const char *word, const stmt *s)
{
	str_addf(p->out, "%s (", word);
	print_whole_expr(p->out, s->branch.cond);
	str_addc(p->out, ')');
	print_block(p, &s->branch.then);
	if (s->branch.otherwise.n) {
		str_add(p->out, " else");
		print_block(p, &s->branch.otherwise);
	}
}

static void print_store(printer *p, const stmt *s)
{
	if (s->store.streaming)
		str_add(p->out, "stream ");
	print_element(p->out, s->store.b, s->store.index);
	str_add(p->out, " = ");
	print_whole_expr(p->out, s->store.e);
}

static void print_stmt(printer *p, stmt *s)
{
	if (p->line)
		s->line = p->line;
	switch (s->kind) {
	case STMT_FOR: print_for(p, s); break;
	case STMT_LET: print_declaration(p, "let", s); break;
	case STMT_VAR: print_declaration(p, "var", s); break;
	case STMT_SET:
		print_name(p->out, s->set.l->name);
		str_add(p->out, " = ");
		print_whole_expr(p->out, s->set.e);
		break;
	case STMT_STORE: print_store(p, s); break;
	case STMT_IF: print_branch(p, "if", s); break;
	case STMT_WHILE: print_branch(p, "while", s); break;
	case STMT_ARRAY:
		str_add(p->out, "array ");
		print_name(p->out, s->array->name);
		str_add(p->out, ": ");
		print_array_type(p->out, s->array->type, s->array->size);
		break;
	case STMT_PREFETCH:
		str_add(p->out, "prefetch ");
		print_element(p->out, s->prefetch.b, s->prefetch.index);
		str_addf(p->out, " %d", s->prefetch.locality);
		break;
	}
}

/* " {" ... "}" behind a head, on the lines that follow. */
static void print_block(printer *p, const block *b)
{
	str_add(p->out, " {");
	end_line(p);
	p->depth++;
	for (int i = 0; i < b->n; i++) {
		begin_line(p);
		print_stmt(p, b->v[i]);
		end_line(p);
	}
	p->depth--;
	begin_line(p);
	str_addc(p->out, '}');
}

/* ---- kernels ----------------------------------------------------------------------------------------------------- */

static void print_param(str *out, const buffer *b)
{
	if (b->written)
		str_add(out, "out ");
	print_name(out, b->name);
	str_add(out, ": ");
	print_array_type(out, b->type, b->size);
	if (b->align != BUFFER_ALIGN)
		str_addf(out, " align %d", b->align);
}

static void print_kernel(printer *p, const kernel *k)
{
	str *out = p->out;
	str_add(out, "kernel ");
	print_symbol_name(out, k->name);
	str_addc(out, '(');
	for (int i = 0; i < k->params.n; i++) {
		if (i)
			str_add(out, ", ");
		print_param(out, k->params.v[i]);
	}
	str_addc(out, ')');
	if (k->tiles) {
		str_addc(out, ' ');
		print_loop_head(out, "parallel", k->tile_var, k->tiles);
	}
	if (k->nodes) {
		str_add(out, " nodes ");
		print_quoted(out, k->nodes);
	}
	print_clause(out, "flops", k->flops);
	print_clause(out, "bytes", k->bytes);
	print_block(p, &k->body);
	end_line(p);
}

void kernel_print(str *out, const kernel *k)
{
	printer p = {.out = out};
	print_kernel(&p, k);
}

/* ---- program ----------------------------------------------------------------------------------------------------- */

static const storage *port_storage(const program *p, storage_kind kind, int index)
{
	for (int i = 0; i < p->storages.n; i++)
		if (p->storages.v[i]->kind == kind && p->storages.v[i]->index == index)
			return p->storages.v[i];
	return NULL;
}

static void print_port(str *out, const program *p, storage_kind kind, int index, const port *q)
{
	const storage *s = port_storage(p, kind, index);
	str_addf(out, "%s %d ", kind == STORAGE_INPUT ? "input" : "output", index);
	print_value_name(out, q->name);
	str_addf(out, ": %s[", dtype_name(q->type));
	for (int i = 0; i < q->rank; i++) {
		if (i)
			str_addc(out, ',');
		sym_print(out, q->dims[i]);
	}
	str_addc(out, ']');
	if (!s) {
		str_add(out, " unused");
	} else if (strcmp(s->name, q->name) != 0) {
		str_add(out, " in ");
		print_value_name(out, s->name);
	}
}

/* All but ports, which bring their storages with them. */
static void print_storage(printer *p, const storage *s)
{
	static const char *const words[] = {[STORAGE_CONST] = "const ", [STORAGE_ARENA] = "arena ", [STORAGE_PART] = "part ",
	                                    [STORAGE_CARRIED] = "carried "};
	str *out = p->out;
	if (s->kind == STORAGE_INPUT || s->kind == STORAGE_OUTPUT)
		return;
	str_add(out, words[s->kind]);
	print_value_name(out, s->name);
	str_add(out, ": ");
	print_array_type(out, s->type, s->size);
	if (s->kind == STORAGE_CONST && s->data) {
		str_add(out, " = ");
		print_tensor_data(out, s->data, MAX_CONST_SHOWN);
	}
	if (s->kind == STORAGE_ARENA && s->offset) {
		print_clause(out, "at", s->offset);
		str_addf(out, " live %d..%d", s->first_step, s->last_step);
	}
	if (s->kind == STORAGE_PART) {
		str_add(out, " of ");
		print_value_name(out, s->whole->name);
		print_clause(out, "at", s->start);
	}
	end_line(p);
}

static void print_steps(printer *p, const step_list *steps);

static void print_clause_of(str *out, const char *word, const storage *s)
{
	if (!s)
		return;
	str_addf(out, " %s ", word);
	print_value_name(out, s->name);
}

static void print_bind(str *out, const step *s)
{
	str_add(out, "bind ");
	sym_print(out, s->symbol);
	str_add(out, " = ");
	if (s->from)
		print_value_name(out, s->from->name);
	else
		sym_print(out, s->value);
}

static void print_call(str *out, const step *s)
{
	print_symbol_name(out, s->k->name);
	str_addc(out, '(');
	for (int i = 0; i < s->args.n; i++) {
		if (i)
			str_add(out, ", ");
		print_value_name(out, s->args.v[i]->name);
	}
	str_addc(out, ')');
}

static void print_loop(printer *p, const step *s)
{
	str *out = p->out;
	str_add(out, "loop ");
	sym_print(out, s->symbol);
	if (s->trip) {
		str_add(out, " < ");
		sym_print(out, s->trip);
	}
	print_clause_of(out, "while", s->from);
	print_clause_of(out, "then", s->go_on);
	print_clause_of(out, "count", s->count);
	for (int i = 0; i < s->carried.n; i++) {
		const carry *c = &s->carried.v[i];
		print_clause_of(out, "carry", c->current);
		print_clause_of(out, "from", c->from);
		print_clause_of(out, "next", c->next);
		print_clause_of(out, "to", c->result);
	}
	print_steps(p, &s->body);
}

static void print_step(printer *p, const step *s)
{
	begin_line(p);
	switch (s->kind) {
	case STEP_CALL: print_call(p->out, s); break;
	case STEP_BIND: print_bind(p->out, s); break;
	case STEP_LOOP: print_loop(p, s); break;
	case STEP_ASSUME:
		str_add(p->out, "assume ");
		condition_print(p->out, &s->assumed);
		break;
	case STEP_IF:
		str_add(p->out, "if ");
		print_value_name(p->out, s->from->name);
		print_steps(p, &s->body);
		if (s->otherwise.n) {
			str_add(p->out, " else");
			print_steps(p, &s->otherwise);
		}
		break;
	}
	end_line(p);
}

static void print_steps(printer *p, const step_list *steps)
{
	str_add(p->out, " {");
	end_line(p);
	p->depth++;
	for (int i = 0; i < steps->n; i++)
		print_step(p, &steps->v[i]);
	p->depth--;
	begin_line(p);
	str_addc(p->out, '}');
}

static void print_head(printer *p, const program *prog)
{
	str_add(p->out, "program ");
	print_symbol_name(p->out, prog->name);
	end_line(p);
	for (int i = 0; i < prog->dims.n; i++) {
		str_add(p->out, "dim ");
		print_dim_range(p->out, prog->dims.v[i]);
		end_line(p);
	}
	for (int i = 0; i < prog->assumed.n; i++) {
		str_add(p->out, "assume ");
		condition_print(p->out, &prog->assumed.v[i]);
		end_line(p);
	}
	for (int i = 0; i < prog->inputs.n; i++) {
		print_port(p->out, prog, STORAGE_INPUT, i, &prog->inputs.v[i]);
		end_line(p);
	}
	for (int i = 0; i < prog->outputs.n; i++) {
		print_port(p->out, prog, STORAGE_OUTPUT, i, &prog->outputs.v[i]);
		end_line(p);
	}
	for (int i = 0; i < prog->storages.n; i++)
		print_storage(p, prog->storages.v[i]);
	if (prog->workspace_bytes) {
		str_add(p->out, "workspace ");
		sym_print(p->out, prog->workspace_bytes);
		end_line(p);
	}
}

void program_print(str *out, program *prog)
{
	printer p = {.out = out, .line = 1};
	for (size_t i = 0; i < out->len; i++)
		p.line += out->data[i] == '\n';
	print_head(&p, prog);
	for (int i = 0; i < prog->kernels.n; i++) {
		end_line(&p);
		prog->kernels.v[i]->line = p.line;
		print_kernel(&p, prog->kernels.v[i]);
	}
	end_line(&p);
	str_add(out, "run");
	print_steps(&p, &prog->steps);
	end_line(&p);
}
