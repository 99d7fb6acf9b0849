/* qr_draw.h - QR codes as pictures.
 *
 * The text should be of digits, upper-case letters and `$%*+-./: ` only: two characters then take
 * 11 bits, and a short link fits a code of 33 modules, which small print and old cameras can take.
 */
#ifndef ADMIN_QR_DRAW_H
#define ADMIN_QR_DRAW_H
#include <stddef.h>

#include "proto/compiler.h"

enum {
    QR_MARGIN = 4, /* modules of light around the code, as ISO/IEC 18004 asks for */
    QR_SIZE_MAX = 32,
};

/* A picture; both malloc()ed, NULL: no memory, or the text is too long. `*len` in bytes. */
MUST_USE void *qr_draw_svg(const char *text, size_t *len);
/* `size` is the pixels of a module, 1…QR_SIZE_MAX. */
MUST_USE void *qr_draw_png(const char *text, unsigned size, size_t *len);

#endif
