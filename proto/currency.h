/* currency.h - how many digits a currency has behind the point (ISO 4217).  Pure. */
#ifndef PROTO_CURRENCY_H
#define PROTO_CURRENCY_H
#include <stdint.h>

enum { CURRENCY_AMOUNT_MAX = 32 };

/* 0, 2 or 3; `currency` has three letters. */
unsigned currency_digits(const char *currency);

/* Writes an amount in the currency's smallest unit as a number, 1999 EUR as "19.99"; `point` stands
 * before its fraction.  Returns `out`. */
const char *currency_write(int64_t amount, const char *currency, char point,
                           char out[static CURRENCY_AMOUNT_MAX]);

#endif
