/* invoices.h - the lists of invoices that are sent whole (`limit=all`). */
#ifndef ADMIN_INVOICES_H
#define ADMIN_INVOICES_H

struct server;

/* Lists sent whole at one time.  Each holds some hundred kilobytes, for hours if its client reads
 * slowly. */
enum { INVOICES_LISTS_MAX = 16, INVOICES_LISTS_PER_KEY_MAX = 4 };

/* Frees the lists whose clients have not taken a piece, when the API thread and the fetches have
 * ended; their requests stay with the front. */
void invoices_drop_all(struct server *server);

#endif
