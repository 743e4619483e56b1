/* Loads and stores.
 *
 * The stride of an index in the lane variable decides the form: 0 is one scalar, 1 a vector, -1 a reversed vector, 2 two
 * vectors and a shuffle, anything else lane by lane (or one gather, where the target has masks and the element 32 bits).
 *
 * Inactive lanes must not fault.  Vectors are masked where the target can; elsewhere the lanes go one by one, and an
 * inactive lane reads a constant zero or writes to a scratch variable instead.  Packed elements (below 8 bits) are
 * addressed by byte; a vector loop that stores them does not come here (emit_vector.c makes it serial). */
#include "backend/emit_internal.h"

#include "support/diag.h"

#include <string.h>

enum { ZERO_BYTES = 64, GATHER_BITS = 32 };

typedef enum access_kind { ACCESS_UNIFORM, ACCESS_STRIDED, ACCESS_SCATTERED } access_kind;

typedef struct access {
	access_kind kind;
	const buffer *b;
	sym *index;
	LLVMTypeRef type;  /* of an element in memory */
	int per_byte;      /* packed: elements in a byte; else 1 */
	LLVMValueRef base; /* of the buffer */
	LLVMValueRef first; /* the address in lane 0; packed: of its byte */
	bool constant;     /* STRIDED: is the stride known? */
	int64_t stride;
	LLVMValueRef step; /* STRIDED, not constant */
} access;

bool emit_masks(emitter *e, int bits)
{
	const target *t = e->m->options->target;
	return t->masks || (t->masks_32 && bits >= GATHER_BITS);
}

static LLVMValueRef base_of(emitter *e, const buffer *b)
{
	const val *base = map_get(e->buffers, b);
	if (!base)
		bug("buffer %s is not in scope", b->name);
	return base->v[0];
}

static bool is_packed(const access *a)
{
	return a->per_byte > 1;
}

/* The byte of a packed element. */
static LLVMValueRef packed_address(emitter *e, const access *a, LLVMValueRef index)
{
	LLVMValueRef shift = cg_i64(&e->c, a->per_byte == 4 ? 2 : 1);
	LLVMValueRef byte = LLVMBuildLShr(e->c.b, index, shift, "");
	return LLVMBuildGEP2(e->c.b, a->type, a->base, &byte, 1, "");
}

static access access_of(emitter *e, const buffer *b, sym *index)
{
	int bits = dtype_table[b->type].bits;
	access a = {.b = b, .index = index, .type = narrow_memory_type(&e->c, b->type), .base = base_of(e, b)};
	a.per_byte = bits < 8 ? 8 / bits : 1;
	sym *stride = NULL, *rest = NULL;
	if (e->lanes && sym_varies(e, index)) {
		a.kind = ACCESS_SCATTERED;
		if (!sym_affine(index, e->lanes->var, &stride, &rest) || sym_varies(e, stride) || sym_varies(e, rest))
			return a;
		a.kind = ACCESS_STRIDED;
		a.constant = sym_is_const(stride, &a.stride);
		if (!a.constant)
			a.step = emit_sym(e, stride);
	}
	a.first = is_packed(&a) ? packed_address(e, &a, emit_sym(e, index)) : emit_address(e, a.type, a.base, index);
	return a;
}

static LLVMValueRef advance(emitter *e, const access *a, LLVMValueRef p, int64_t elements)
{
	if (elements == 0)
		return p;
	LLVMValueRef by = cg_i64(&e->c, elements);
	return LLVMBuildGEP2(e->c.b, a->type, p, &by, 1, "");
}

/* ---- checks (--sanitize) ---------------------------------------------------------------------------------------------- */

static void trap_if(emitter *e, LLVMValueRef bad)
{
	LLVMBuilderRef b = e->c.b;
	LLVMBasicBlockRef here = LLVMGetInsertBlock(b), good = emit_new_block(e, "inside");
	if (!e->trap) {
		e->trap = emit_new_block(e, "outside");
		LLVMPositionBuilderAtEnd(b, e->trap);
		cg_intrinsic(&e->c, "llvm.trap", NULL, 0, NULL, 0);
		LLVMBuildUnreachable(b);
		LLVMPositionBuilderAtEnd(b, here);
	}
	LLVMBuildCondBr(b, bad, e->trap, good);
	LLVMPositionBuilderAtEnd(b, good);
}

static LLVMValueRef any_lane(emitter *e, const LLVMValueRef *parts, int n)
{
	LLVMValueRef all = parts[0];
	for (int p = 1; p < n; p++)
		all = LLVMBuildOr(e->c.b, all, parts[p], "");
	return cg_lanes(LLVMTypeOf(all)) ? cg_intrinsic1(&e->c, "llvm.vector.reduce.or", all) : all;
}

static LLVMValueRef any_active(emitter *e)
{
	return any_lane(e, e->lanes->mask, e->lanes->parts);
}

static void check(emitter *e, const access *a)
{
	if (!e->m->options->sanitize)
		return;
	LLVMBuilderRef b = e->c.b;
	LLVMValueRef size = emit_sym(e, a->b->size);
	LLVMValueRef bad[MAX_PARTS];
	int n = 1;
	if (a->kind == ACCESS_UNIFORM) {
		bad[0] = LLVMBuildICmp(b, LLVMIntUGE, emit_sym(e, a->index), size, "");
		if (e->lanes && e->lanes->maybe_empty)
			bad[0] = LLVMBuildAnd(b, bad[0], any_active(e), "");
	} else {
		n = e->lanes->parts;
		size = cg_splat(&e->c, size, e->lanes->width);
		for (int p = 0; p < n; p++) {
			LLVMValueRef at = emit_sym_lanes(e, a->index, p, cg_int(&e->c, 64));
			bad[p] = LLVMBuildICmp(b, LLVMIntUGE, at, size, "");
			if (e->lanes->mask[p])
				bad[p] = LLVMBuildAnd(b, bad[p], e->lanes->mask[p], "");
		}
	}
	trap_if(e, any_lane(e, bad, n));
}

/* ---- one element ------------------------------------------------------------------------------------------------------ */

/* Where inactive lanes read. */
static LLVMValueRef zeros(emitter *e)
{
	static const char name[] = "dlcc.zero";
	LLVMValueRef g = LLVMGetNamedGlobal(e->m->module, name);
	if (g)
		return g;
	LLVMTypeRef t = LLVMArrayType2(cg_int(&e->c, 8), ZERO_BYTES);
	g = LLVMAddGlobal(e->m->module, t, name);
	LLVMSetInitializer(g, LLVMConstNull(t));
	LLVMSetGlobalConstant(g, 1);
	LLVMSetLinkage(g, LLVMPrivateLinkage);
	LLVMSetAlignment(g, ZERO_BYTES);
	return g;
}

/* Where inactive lanes write. */
static LLVMValueRef scratch(emitter *e)
{
	if (!e->scratch)
		e->scratch = emit_alloca(e, cg_int(&e->c, 64), 8);
	return e->scratch;
}

static LLVMValueRef load_at(emitter *e, const access *a, LLVMTypeRef t, LLVMValueRef p)
{
	LLVMValueRef x = LLVMBuildLoad2(e->c.b, t, p, "");
	LLVMSetAlignment(x, (unsigned)(cg_bits(a->type) / 8));
	return x;
}

static LLVMValueRef store_at(emitter *e, const access *a, LLVMValueRef x, LLVMValueRef p)
{
	LLVMValueRef store = LLVMBuildStore(e->c.b, x, p);
	LLVMSetAlignment(store, (unsigned)(cg_bits(a->type) / 8));
	return store;
}

/* The bits of a packed element at the bottom of its byte; the bits above are left for the conversion to drop. */
static LLVMValueRef unpack(emitter *e, const access *a, LLVMValueRef byte, LLVMValueRef index)
{
	LLVMBuilderRef b = e->c.b;
	int bits = 8 / a->per_byte;
	LLVMValueRef at = LLVMBuildAnd(b, index, cg_integer(LLVMTypeOf(index), a->per_byte - 1), "");
	at = LLVMBuildIntCast2(b, at, LLVMTypeOf(byte), 0, "");
	return LLVMBuildLShr(b, byte, LLVMBuildMul(b, at, cg_integer(LLVMTypeOf(byte), bits), ""), "");
}

static LLVMValueRef load_uniform(emitter *e, const access *a)
{
	LLVMValueRef p = a->first;
	if (e->lanes && e->lanes->maybe_empty)
		p = LLVMBuildSelect(e->c.b, any_active(e), p, zeros(e), "");
	LLVMValueRef raw = load_at(e, a, a->type, p);
	if (is_packed(a))
		raw = unpack(e, a, raw, emit_sym(e, a->index));
	return narrow_decode(&e->c, a->b->type, raw);
}

/* ---- lane by lane ----------------------------------------------------------------------------------------------------- */

/* The address of a lane; `indices`: SCATTERED or packed, the part's indices.  *index is the lane's own, when packed. */
static LLVMValueRef lane_address(emitter *e, const access *a, LLVMValueRef indices, int part, int lane, LLVMValueRef *index)
{
	int i = part * e->lanes->width + lane;
	if (indices) {
		LLVMValueRef at = *index = cg_get(&e->c, indices, lane);
		return is_packed(a) ? packed_address(e, a, at) : LLVMBuildGEP2(e->c.b, a->type, a->base, &at, 1, "");
	}
	if (a->constant)
		return advance(e, a, a->first, a->stride * i);
	LLVMValueRef by = LLVMBuildMul(e->c.b, a->step, cg_i64(&e->c, i), "");
	return LLVMBuildGEP2(e->c.b, a->type, a->first, &by, 1, "");
}

static LLVMValueRef lane_indices(emitter *e, const access *a, int part)
{
	if (a->kind == ACCESS_STRIDED && !is_packed(a))
		return NULL;
	return emit_sym_lanes(e, a->index, part, cg_int(&e->c, 64));
}

static LLVMValueRef guard_lane(emitter *e, int part, int lane, LLVMValueRef p, LLVMValueRef otherwise)
{
	LLVMValueRef mask = e->lanes->mask[part];
	if (!mask)
		return p;
	return LLVMBuildSelect(e->c.b, cg_get(&e->c, mask, lane), p, otherwise, "");
}

static LLVMValueRef load_lanes(emitter *e, const access *a, int part)
{
	LLVMValueRef indices = lane_indices(e, a, part);
	LLVMValueRef raw = LLVMGetPoison(cg_vector(a->type, e->lanes->width));
	for (int lane = 0; lane < e->lanes->width; lane++) {
		LLVMValueRef index = NULL, p = lane_address(e, a, indices, part, lane, &index);
		LLVMValueRef x = load_at(e, a, a->type, guard_lane(e, part, lane, p, zeros(e)));
		raw = cg_put(&e->c, raw, is_packed(a) ? unpack(e, a, x, index) : x, lane);
	}
	return raw;
}

static void store_lanes(emitter *e, const access *a, int part, LLVMValueRef raw)
{
	LLVMValueRef indices = lane_indices(e, a, part);
	for (int lane = 0; lane < e->lanes->width; lane++) {
		LLVMValueRef index = NULL, p = lane_address(e, a, indices, part, lane, &index);
		if (e->lanes->mask[part])
			p = guard_lane(e, part, lane, p, scratch(e));
		store_at(e, a, cg_get(&e->c, raw, lane), p);
	}
}

/* ---- masked intrinsics ------------------------------------------------------------------------------------------------ */

/* Until LLVM 21 the alignment is an operand, then an attribute of the pointer. */
static LLVMValueRef masked_call(emitter *e, const char *name, LLVMTypeRef *types, LLVMValueRef *args, int n_args, int pointer,
	int align)
{
	LLVMContextRef context = e->m->context;
	unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
	LLVMTypeRef t = LLVMIntrinsicGetType(context, id, types, 2);
	LLVMValueRef all[4];
	int n = 0;
	for (int i = 0; i < n_args; i++) {
		all[n++] = args[i];
		if (i == pointer && (int)LLVMCountParamTypes(t) > n_args)
			all[n++] = cg_i32(&e->c, align);
	}
	LLVMValueRef call = cg_intrinsic(&e->c, name, types, 2, all, n);
	if (n == n_args && !cg_lanes(LLVMTypeOf(args[pointer]))) {
		unsigned kind = LLVMGetEnumAttributeKindForName("align", 5);
		LLVMAttributeRef aligned = LLVMCreateEnumAttribute(context, kind, (uint64_t)align);
		LLVMAddCallSiteAttribute(call, (LLVMAttributeIndex)(pointer + 1), aligned);
	}
	return call;
}

static LLVMValueRef masked_load(emitter *e, const access *a, LLVMTypeRef t, LLVMValueRef p, LLVMValueRef mask)
{
	LLVMValueRef args[] = {p, mask, LLVMConstNull(t)};
	return masked_call(e, "llvm.masked.load", (LLVMTypeRef[]){t, cg_ptr(&e->c)}, args, 3, 0, cg_bits(a->type) / 8);
}

static void masked_store(emitter *e, const access *a, LLVMValueRef x, LLVMValueRef p, LLVMValueRef mask)
{
	LLVMValueRef args[] = {x, p, mask};
	masked_call(e, "llvm.masked.store", (LLVMTypeRef[]){LLVMTypeOf(x), cg_ptr(&e->c)}, args, 3, 1, cg_bits(a->type) / 8);
}

static LLVMValueRef gather(emitter *e, const access *a, int part)
{
	int width = e->lanes->width;
	LLVMTypeRef t = cg_vector(a->type, width), i1 = cg_vector(cg_int(&e->c, 1), width);
	LLVMTypeRef index = cg_int(&e->c, emit_sym_narrow(a->index) ? 32 : 64);
	LLVMValueRef at = emit_sym_lanes(e, a->index, part, index);
	LLVMValueRef p = LLVMBuildGEP2(e->c.b, a->type, a->base, &at, 1, "");
	LLVMValueRef mask = e->lanes->mask[part] ? e->lanes->mask[part] : LLVMConstAllOnes(i1);
	LLVMValueRef args[] = {p, mask, LLVMConstNull(t)};
	return masked_call(e, "llvm.masked.gather", (LLVMTypeRef[]){t, LLVMTypeOf(p)}, args, 3, 0, cg_bits(a->type) / 8);
}

/* ---- vectors ---------------------------------------------------------------------------------------------------------- */

static LLVMValueRef reverse(emitter *e, LLVMValueRef v)
{
	int n = cg_lanes(LLVMTypeOf(v));
	return cg_shuffle(&e->c, v, NULL, n - 1, -1, n);
}

/* Stride 1 or -1. */
static LLVMValueRef load_contiguous(emitter *e, const access *a, int part)
{
	int width = e->lanes->width;
	LLVMTypeRef t = cg_vector(a->type, width);
	LLVMValueRef mask = e->lanes->mask[part];
	bool backward = a->stride < 0;
	LLVMValueRef p = advance(e, a, a->first, backward ? -(part + 1) * width + 1 : part * width);
	if (backward && mask)
		mask = reverse(e, mask);
	LLVMValueRef raw = mask ? masked_load(e, a, t, p, mask) : load_at(e, a, t, p);
	return backward ? reverse(e, raw) : raw;
}

/* Stride 2: elements 0 .. width-1 and width-1 .. 2*width-2, so that nothing past the last one is read. */
static LLVMValueRef load_alternate(emitter *e, const access *a, int part)
{
	int width = e->lanes->width;
	LLVMTypeRef t = cg_vector(a->type, width);
	LLVMValueRef low = load_at(e, a, t, advance(e, a, a->first, 2 * part * width));
	LLVMValueRef high = load_at(e, a, t, advance(e, a, a->first, 2 * part * width + width - 1));
	LLVMValueRef order[MAX_PARTS * 2];
	assert(width <= MAX_PARTS * 2);
	for (int i = 0; i < width; i++)
		order[i] = cg_i32(&e->c, 2 * i < width ? 2 * i : width + 2 * i - (width - 1));
	return LLVMBuildShuffleVector(e->c.b, low, high, LLVMConstVector(order, (unsigned)width), "");
}

/* Packed, stride 1 from the start of a byte: a vector of bytes, each repeated for its elements. */
static LLVMValueRef load_packed(emitter *e, const access *a, int part)
{
	LLVMBuilderRef b = e->c.b;
	int width = e->lanes->width, bytes = width / a->per_byte, bits = 8 / a->per_byte;
	LLVMTypeRef t = cg_vector(a->type, bytes);
	LLVMValueRef p = advance(e, a, a->first, (int64_t)part * bytes);
	LLVMValueRef mask = e->lanes->mask[part], raw;
	if (mask) { /* a byte is wanted when one of its elements is */
		LLVMValueRef some = cg_shuffle(&e->c, mask, NULL, 0, a->per_byte, bytes);
		for (int i = 1; i < a->per_byte; i++)
			some = LLVMBuildOr(b, some, cg_shuffle(&e->c, mask, NULL, i, a->per_byte, bytes), "");
		raw = masked_load(e, a, t, p, some);
	} else {
		raw = load_at(e, a, t, p);
	}
	LLVMValueRef order[MAX_PARTS * 2], shift[MAX_PARTS * 2];
	assert(width <= MAX_PARTS * 2);
	for (int i = 0; i < width; i++) {
		order[i] = cg_i32(&e->c, i / a->per_byte);
		shift[i] = cg_integer(cg_int(&e->c, 8), i % a->per_byte * bits);
	}
	raw = LLVMBuildShuffleVector(b, raw, LLVMGetPoison(t), LLVMConstVector(order, (unsigned)width), "");
	return LLVMBuildLShr(b, raw, LLVMConstVector(shift, (unsigned)width), "");
}

static bool starts_byte(emitter *e, const access *a)
{
	sym *stride = NULL, *rest = NULL;
	(void)sym_affine(a->index, e->lanes->var, &stride, &rest);
	return e->lanes->width % a->per_byte == 0 && sym_proves_multiple(rest, a->per_byte);
}

static LLVMValueRef load_part(emitter *e, const access *a, int part)
{
	bool masked = e->lanes->mask[part] != NULL;
	int bits = cg_bits(a->type);
	bool constant = a->kind == ACCESS_STRIDED && a->constant;
	if (is_packed(a)) {
		bool vector = constant && a->stride == 1 && starts_byte(e, a) && (!masked || emit_masks(e, 8));
		return vector ? load_packed(e, a, part) : load_lanes(e, a, part);
	}
	if (constant && (a->stride == 1 || a->stride == -1) && (!masked || emit_masks(e, bits)))
		return load_contiguous(e, a, part);
	if (constant && a->stride == 2 && !masked && e->lanes->width > 1)
		return load_alternate(e, a, part);
	if (bits == GATHER_BITS && e->m->options->target->masks && e->lanes->width > 1 && (a->kind == ACCESS_SCATTERED || masked))
		return gather(e, a, part);
	return load_lanes(e, a, part);
}

val emit_load(emitter *e, const buffer *b, sym *index)
{
	access a = access_of(e, b, index);
	check(e, &a);
	if (a.kind == ACCESS_UNIFORM)
		return val_uniform(load_uniform(e, &a));
	val v = {.varying = true};
	for (int p = 0; p < e->lanes->parts; p++)
		v.v[p] = narrow_decode(&e->c, b->type, load_part(e, &a, p));
	return v;
}

/* ---- stores ----------------------------------------------------------------------------------------------------------- */

/* A read-modify-write of the element's byte. */
static void store_packed(emitter *e, const access *a, LLVMValueRef bits_in)
{
	LLVMBuilderRef b = e->c.b;
	int bits = 8 / a->per_byte;
	LLVMTypeRef i8 = cg_int(&e->c, 8);
	LLVMValueRef ones = cg_integer(i8, (1 << bits) - 1);
	LLVMValueRef at = LLVMBuildTrunc(b, emit_sym(e, a->index), i8, "");
	at = LLVMBuildMul(b, LLVMBuildAnd(b, at, cg_integer(i8, a->per_byte - 1), ""), cg_integer(i8, bits), "");
	LLVMValueRef hole = LLVMBuildNot(b, LLVMBuildShl(b, ones, at, ""), "");
	LLVMValueRef rest = LLVMBuildAnd(b, load_at(e, a, i8, a->first), hole, "");
	LLVMValueRef placed = LLVMBuildShl(b, LLVMBuildAnd(b, bits_in, ones, ""), at, "");
	store_at(e, a, LLVMBuildOr(b, rest, placed, ""), a->first);
}

static void set_nontemporal(emitter *e, LLVMValueRef store)
{
	LLVMContextRef context = e->m->context;
	LLVMMetadataRef one = LLVMValueAsMetadata(cg_i32(&e->c, 1));
	LLVMMetadataRef node = LLVMMDNodeInContext2(context, &one, 1);
	LLVMSetMetadata(store, LLVMGetMDKindIDInContext(context, "nontemporal", 11), LLVMMetadataAsValue(context, node));
}

static bool is_aligned(emitter *e, const access *a, int bytes)
{
	return a->b->align % bytes == 0 && sym_proves_multiple(a->index, bytes * 8 / cg_bits(a->type)) &&
	       e->lanes->width * cg_bits(a->type) / 8 == bytes;
}

static void store_contiguous(emitter *e, const access *a, int part, LLVMValueRef raw, bool streaming)
{
	int width = e->lanes->width;
	LLVMValueRef mask = e->lanes->mask[part];
	bool backward = a->stride < 0;
	LLVMValueRef p = advance(e, a, a->first, backward ? -(part + 1) * width + 1 : part * width);
	if (backward)
		raw = reverse(e, raw);
	if (mask) {
		masked_store(e, a, raw, p, backward ? reverse(e, mask) : mask);
		return;
	}
	LLVMValueRef store = store_at(e, a, raw, p);
	int bytes = e->m->options->target->vector_bytes;
	if (streaming && !backward && is_aligned(e, a, bytes)) {
		LLVMSetAlignment(store, (unsigned)bytes);
		set_nontemporal(e, store);
	}
}

static void store_part(emitter *e, const access *a, int part, LLVMValueRef raw, bool streaming)
{
	bool masked = e->lanes->mask[part] != NULL;
	bool contiguous = a->kind == ACCESS_STRIDED && a->constant && (a->stride == 1 || a->stride == -1);
	if (contiguous && !is_packed(a) && (!masked || emit_masks(e, cg_bits(a->type))))
		store_contiguous(e, a, part, raw, streaming);
	else
		store_lanes(e, a, part, raw);
}

void emit_store(emitter *e, const buffer *b, sym *index, val v, bool streaming)
{
	access a = access_of(e, b, index);
	check(e, &a);
	if (a.kind == ACCESS_UNIFORM) {
		if (v.varying)
			bug("every lane stores to the same element of %s", b->name);
		LLVMValueRef raw = narrow_encode(&e->c, b->type, v.v[0]);
		if (is_packed(&a))
			store_packed(e, &a, raw);
		else
			store_at(e, &a, raw, a.first);
		return;
	}
	if (is_packed(&a))
		bug("a vector loop stores to packed %s", b->name);
	for (int p = 0; p < e->lanes->parts; p++)
		store_part(e, &a, p, narrow_encode(&e->c, b->type, val_part(e, &v, p)), streaming);
}

/* One line per part of a varying address. */
void emit_prefetch(emitter *e, const buffer *b, sym *index, int locality)
{
	access a = access_of(e, b, index);
	if (a.kind == ACCESS_SCATTERED)
		return;
	bool lines = a.kind == ACCESS_STRIDED && a.constant;
	for (int p = 0; p < (lines ? e->lanes->parts : 1); p++) {
		LLVMValueRef at = lines ? advance(e, &a, a.first, a.stride * p * e->lanes->width / a.per_byte) : a.first;
		LLVMValueRef args[] = {at, cg_i32(&e->c, 0), cg_i32(&e->c, locality), cg_i32(&e->c, 1)};
		cg_intrinsic(&e->c, "llvm.prefetch", (LLVMTypeRef[]){cg_ptr(&e->c)}, 1, args, 4);
	}
}
