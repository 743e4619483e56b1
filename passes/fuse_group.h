/* Groups of nodes with one result: grown forward from a seed through eligible users. */
#pragma once

#include "passes/pass.h"

enum { MAX_GROUP = 48 };

typedef struct fuse_group fuse_group;
struct fuse_group {
	const graph *g;
	const use_map *uses;
	bool (*eligible)(const fuse_group *r, const node *n);
	const value *full;    /* the shape of rows, or of the seed's result */
	const value *reduced; /* row groups: the shape of folds along `axes` */
	const int64_t *axes;
	int n_axes;
	node *member[MAX_GROUP]; /* in graph order while growing forward; the last is the root */
	int n;
};

bool group_has(const fuse_group *r, const node *n);
/* Whether v is used by somebody who is not a member. */
bool used_outside(const fuse_group *r, const value *v);
/* Adds users of members, earliest first, while they are eligible; keeps the longest prefix that has one result.  False when only
 * the seed is left. */
bool grow_forward(fuse_group *r);
