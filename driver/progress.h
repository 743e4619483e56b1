/* What is being done, on one line of a terminal; nothing when stderr is none.  The next text, of anybody, replaces it. */
#pragma once

void progress(const char *what);
void progress_end(void);
