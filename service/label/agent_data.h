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
    const char *needs; /* text, in small letters, that every match holds; "" = none is known */
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

/* What the agents of people name (agents/people.json); all match without regard to case. */
enum agent_people_regex {
    AGENT_NAMES_BROWSER,    /* or an engine */
    AGENT_NAMES_DEVICE,     /* or its system */
    AGENT_BEGINS_AS_PEOPLE, /* with the maker of a phone, a mail program, a text browser */
    AGENT_NAMES_TABLET,     /* the model of an Android one */
    AGENT_COMPATIBLE_OTHER, /* "compatible; NAME", where no person's program has that name */
    AGENT_PEOPLE_REGEXES
};
extern const char *const agent_people_regexes[AGENT_PEOPLE_REGEXES];

extern const struct agent_rule agent_browser_rules[];
extern const unsigned agent_n_browser_rules;
extern const struct agent_name agent_browser_names[];
extern const unsigned agent_n_browser_names;

extern const struct agent_rule agent_system_rules[];
extern const unsigned agent_n_system_rules;
extern const struct agent_name agent_system_names[];
extern const unsigned agent_n_system_names;

#endif
