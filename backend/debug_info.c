/* DWARF for kernels: functions and lines of the printed kernel IR.
 *
 * The text file is named without a folder, so objects do not depend on where they were made; debuggers find it by their
 * source path.  Code that no statement owns has line 0 of its function. */
#include "backend/model.h"

#include <llvm-c/DebugInfo.h>

#include <string.h>

enum { DWARF_VERSION = 4 };

typedef struct debug_info {
	LLVMDIBuilderRef builder;
	LLVMMetadataRef file, unit, type;
} debug_info;

static void add_flag(emit_module *em, const char *name, unsigned value)
{
	LLVMValueRef v = LLVMConstInt(LLVMInt32TypeInContext(em->context), value, false);
	LLVMAddModuleFlag(em->module, LLVMModuleFlagBehaviorWarning, name, strlen(name), LLVMValueAsMetadata(v));
}

static void set_location(emit_module *em, LLVMBuilderRef b, int line)
{
	LLVMMetadataRef scope = LLVMGetSubprogram(LLVMGetBasicBlockParent(LLVMGetInsertBlock(b)));
	LLVMMetadataRef at = NULL;
	if (scope)
		at = LLVMDIBuilderCreateDebugLocation(em->context, (unsigned)line, 0, scope, NULL);
	LLVMSetCurrentDebugLocation2(b, at);
}

void debug_info_begin(emit_module *em)
{
	if (!em->options->debug_info)
		return;
	const char *path = em->options->kernel_text_path;
	if (!path)
		path = arena_printf(em->a, "%s.kernels", em->program->name);
	debug_info *d = new(em->a, debug_info);
	d->builder = LLVMCreateDIBuilder(em->module);
	d->file = LLVMDIBuilderCreateFile(d->builder, path, strlen(path), "", 0);
	d->unit = LLVMDIBuilderCreateCompileUnit(d->builder, LLVMDWARFSourceLanguageC99, d->file, "dlcc", 4,
	                                         em->options->opt > 0, "", 0, 0, "", 0, LLVMDWARFEmissionFull, 0, false, false,
	                                         "", 0, "", 0);
	d->type = LLVMDIBuilderCreateSubroutineType(d->builder, d->file, NULL, 0, LLVMDIFlagZero);
	add_flag(em, "Debug Info Version", LLVMDebugMetadataVersion());
	add_flag(em, "Dwarf Version", DWARF_VERSION);
	em->set_location = set_location;
	em->location = d;
}

void debug_info_function(emit_module *em, LLVMValueRef f, const char *name, int line)
{
	debug_info *d = em->location;
	if (!d)
		return;
	size_t n;
	const char *linkage = LLVMGetValueName2(f, &n);
	LLVMMetadataRef sub = LLVMDIBuilderCreateFunction(d->builder, d->unit, name, strlen(name), linkage, n, d->file,
	                                                  (unsigned)line, d->type, true, true, (unsigned)line, LLVMDIFlagZero,
	                                                  em->options->opt > 0);
	LLVMSetSubprogram(f, sub);
}

void debug_info_end(emit_module *em)
{
	debug_info *d = em->location;
	if (!d)
		return;
	LLVMDIBuilderFinalize(d->builder);
	LLVMDisposeDIBuilder(d->builder);
	em->location = NULL;
	em->set_location = NULL;
}
