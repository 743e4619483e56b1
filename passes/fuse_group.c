/* Growing a group: users of members join in graph order, as long as they may.
 *
 * A group is complete when no value but its last member's is used outside; growth may pass through incomplete stages (softmax: exp is
 * used by the sum and by the division) and is cut back to the last complete one. */
#include "passes/fuse_group.h"

#include "passes/fuse.h"

bool group_has(const fuse_group *r, const node *n)
{
	for (int i = 0; i < r->n; i++)
		if (r->member[i] == n)
			return true;
	return false;
}

bool used_outside(const fuse_group *r, const value *v)
{
	uses u = uses_of(r->uses, v);
	if (value_is_output(r->g, v))
		return true;
	for (int i = 0; i < u.n; i++)
		if (!group_has(r, u.v[i].user))
			return true;
	return false;
}

static bool is_complete(const fuse_group *r)
{
	for (int i = 0; i < r->n - 1; i++) {
		const value *v = r->member[i]->out[0];
		if (used_outside(r, v) || has_halo(v) || v->alias)
			return false;
	}
	return r->n > 1;
}

/* The earliest node in graph order that uses a member and is none itself. */
static node *next_user(const fuse_group *r)
{
	node *best = NULL;
	for (int i = 0; i < r->n; i++) {
		uses u = uses_of(r->uses, r->member[i]->out[0]);
		for (int k = 0; k < u.n; k++) {
			node *n = u.v[k].user;
			if (!group_has(r, n) && (!best || n->order < best->order))
				best = n;
		}
	}
	return best;
}

bool grow_forward(fuse_group *r)
{
	node *n;
	int complete = 0;
	while (r->n < MAX_GROUP && (n = next_user(r)) && r->eligible(r, n)) {
		r->member[r->n++] = n;
		if (is_complete(r))
			complete = r->n;
	}
	r->n = complete ? complete : 1;
	return complete > 0;
}
