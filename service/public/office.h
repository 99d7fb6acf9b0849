/* office.h - recognises the programs of Microsoft Office by their user agents.
 *
 * Word, Excel and others request a link in a document themselves before they open the browser.
 * They follow redirects without the person's cookies, and pass the browser the URL where they
 * ended: the sign-in page instead of the invoice.  If the reply is not a redirect, they pass the
 * link itself. */
#ifndef PUBLIC_OFFICE_H
#define PUBLIC_OFFICE_H
#include <stdbool.h>

#include "proto/slice.h"

bool office_is_agent(struct slice user_agent);

#endif
