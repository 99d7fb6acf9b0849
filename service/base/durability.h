/* durability.h - when a click that was appended to the log is safe. */
#ifndef BASE_DURABILITY_H
#define BASE_DURABILITY_H

enum durability {
    DURABILITY_PROCESS,  /* survives kill -9, not a power cut */
    DURABILITY_INTERVAL, /* loses at most the sync interval at a power cut */
    DURABILITY_CLICK,    /* is on disk before the reply leaves */
};

#endif
