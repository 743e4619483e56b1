/* Bodies of If, Loop, Scan and of what is imported as a loop: graphs of their own, which see the names around them. */
#pragma once

#include "frontend/scope.h"

/* A new graph for a body of n; nodes are built in it until region_close. */
scope *region_open(importer *im, const onnx_node *n, const char *word);
void region_close(importer *im, const onnx_node *n);
/* What a value of the graph around stands for inside s: a constant or known sizes again, else an input. */
value *region_capture(importer *im, scope *s, value *outer);
/* An input for a value that goes round, of the type of `like`. */
value *region_input(importer *im, scope *s, const char *name, const value *like);
/* Makes v the next output of s's graph, called `name` if that is free. */
void region_output(importer *im, scope *s, value *v, const char *name);

/* Imports the nodes of a body; inputs were defined in s->values before.  The results go to `out`; false when one of them is unknown
 * because of an error that was reported. */
bool region_import(importer *im, const onnx_node *n, scope *s, const Onnx__GraphProto *g, value **out);

/* The nodes of a body in place of n, for these inputs; false as region_import. */
bool region_in_place(importer *im, const onnx_node *n, const Onnx__GraphProto *g, value *const *in, value **out);

/* A loop being built: open, read elements and carried values, close with what is handed on and stacked. */
typedef struct loop_builder {
	scope *s;
	sym *trip;  /* NULL: any number */
	sym *index;
	value *begin;        /* bool scalar, whether to begin at all; NULL: yes, and without a condition */
	vec(value *) from;   /* what carried values begin with */
	vec(value *) carried; /* their next ones */
	vec(value *) stacked;
	vec(int64_t) reverse;
	value *go_on;
} loop_builder;

void loop_open(importer *im, const onnx_node *n, loop_builder *l, sym *trip, const char *word);
value *loop_carry(importer *im, loop_builder *l, const char *name, value *from); /* inside: its value in this iteration */
/* Element `index` (from the end when reverse) of `outer` along an axis, which goes. */
value *loop_element(importer *im, loop_builder *l, value *outer, int axis, bool reverse);
/* The node: results are the last carried values, what was stacked, and with a condition the number of iterations. */
node *loop_close(importer *im, const onnx_node *n, loop_builder *l);
