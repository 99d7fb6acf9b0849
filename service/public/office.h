/* office.h - the programs of Microsoft Office by their user agents.
 *
 * Word, Excel and the like open a link of a document themselves before a browser does.  They follow
 * redirects without the person's cookies and hand the browser where they came out, which is the
 * sign-in page and no longer the invoice.  A reply that is no redirect makes them hand over the
 * link itself.
 */
#ifndef PUBLIC_OFFICE_H
#define PUBLIC_OFFICE_H
#include <stdbool.h>

#include "proto/slice.h"

bool office_is_agent(struct slice user_agent);

#endif
