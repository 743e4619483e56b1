/* Letters of a contraction's equation, shared by its strategies. */
#pragma once

#include "passes/strategy.h"

typedef struct letters {
	char text[3][MAX_RANK + 1]; /* operand 0, operand 1, result */
	int a, b;                   /* operand numbers of A (rows) and B (columns) */
	char column;                /* the letter lanes run over */
} letters;

/* False when the lanes would run over a batch letter, or a letter is summed in one operand alone. */
bool contract_letters(const node *n, letters *l);
bool letter_in(const letters *l, int part, char letter);
bool letter_is_summed(const letters *l, char letter);
sym *letter_extent(const node *n, const letters *l, char letter);

/* What every letter stands for: a loop variable, or any index. */
typedef struct letter_vars {
	sym *of[128];
} letter_vars;

coord letter_coord(const letters *l, int part, const letter_vars *v);
/* The other way round: what the letters of a part stand for at these coordinates. */
letter_vars letter_vars_at(const letters *l, int part, coord at);
/* Adds a loop over a letter; coordinate 0 where there is one element. */
sym *letter_loop(loop_list *list, sym_ctx *syms, char letter, sym *extent);
/* Adds loops over all summed letters, in the order in which B has them. */
void letter_sums(const node *n, const letters *l, loop_list *list, letter_vars *v);
