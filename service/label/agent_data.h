/* agent_data.h - what the build makes of the lists in agents/: the tables in agent_data.c. */
#ifndef LABEL_AGENT_DATA_H
#define LABEL_AGENT_DATA_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/click_names.h"

/* In place of a family: the text of the first group names it. */
enum { AGENT_CAPTURE = 255 };

/* The first rule whose regular expression matches decides the family. */
struct agent_rule {
    const char *regex;
    const char *needs; /* text that every match holds; "" = none is known */
    uint8_t family;    /* or AGENT_CAPTURE */
    bool nocase;
};

/* What the rules' captures may say. */
struct agent_name {
    const char *text;
    uint8_t family;
};

/* Families are enum click_reason. */
extern const struct agent_rule agent_bot_rules[];
extern const unsigned agent_n_bot_rules;

extern const struct agent_rule agent_browser_rules[];
extern const unsigned agent_n_browser_rules;
extern const struct agent_name agent_browser_names[];
extern const unsigned agent_n_browser_names;

extern const struct agent_rule agent_system_rules[];
extern const unsigned agent_n_system_rules;
extern const struct agent_name agent_system_names[];
extern const unsigned agent_n_system_names;

#endif
