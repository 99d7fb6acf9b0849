#include "service/public/renewals.h"

#include <string.h>

#include "proto/bytes.h"

void renewals_init(struct renewals *renewals)
{
    *renewals = (struct renewals){.places[0].n = 0};
    randombytes_buf(renewals->key, sizeof(renewals->key));
}

static bool take(struct renewals *renewals, const uint8_t *of, size_t len, uint32_t hour,
                 uint32_t most)
{
    uint8_t bytes[crypto_shorthash_BYTES];
    uint64_t hash;
    uint32_t i;

    crypto_shorthash(bytes, of, len, renewals->key);
    hash = be64_load(bytes);
    i = (uint32_t)(hash % RENEWALS_PLACES);
    if (renewals->places[i].hash != hash || renewals->places[i].hour != hour) {
        renewals->places[i].hash = hash;
        renewals->places[i].hour = hour;
        renewals->places[i].n = 0;
    }
    if (renewals->places[i].n >= most)
        return false;
    renewals->places[i].n++;
    return true;
}

bool renewals_take(struct renewals *renewals, const uint8_t ip[static IP_LEN], uint64_t link_id,
                   int64_t now_s)
{
    uint32_t hour = (uint32_t)(now_s / 3600);
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    size_t kept = memcmp(ip, mapped, sizeof(mapped)) == 0 ? 15 : 6;
    uint8_t link[9] = {'l'}, network[IP_LEN] = {0};

    memcpy(network, ip, kept);
    be64_store(link + 1, link_id);
    return take(renewals, network, sizeof(network), hour, RENEWALS_OF_NETWORK) &&
           take(renewals, link, sizeof(link), hour, 1);
}
