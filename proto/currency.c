#include "proto/currency.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

unsigned currency_digits(const char *currency)
{
    static const char none[] =
        "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF ";
    static const char three[] = "BHD IQD JOD KWD LYD OMR TND ";
    const char name[] = {currency[0], currency[1], currency[2], ' ', '\0'};

    return strstr(none, name) ? 0 : strstr(three, name) ? 3 : 2;
}

const char *currency_write(int64_t amount, const char *currency, char point,
                           char out[static CURRENCY_AMOUNT_MAX])
{
    unsigned digits = currency_digits(currency);
    uint64_t n = amount < 0 ? -(uint64_t)amount : (uint64_t)amount, unit = 1;
    const char *sign = amount < 0 ? "-" : "";

    for (unsigned i = 0; i < digits; i++)
        unit *= 10;
    if (digits > 0)
        snprintf(out, CURRENCY_AMOUNT_MAX, "%s%" PRIu64 "%c%0*" PRIu64, sign, n / unit, point,
                 (int)digits, n % unit);
    else
        snprintf(out, CURRENCY_AMOUNT_MAX, "%s%" PRIu64, sign, n);
    return out;
}
