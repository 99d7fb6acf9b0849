/* agent_data.h - the tables in agent_data.c, which the build generates from the lists in agents/.
 */
#ifndef LABEL_AGENT_DATA_H
#define LABEL_AGENT_DATA_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/click_names.h"

/* Stands in place of a family: the first group of the match names the family. */
enum { AGENT_CAPTURE = 255 };

/* A rule of a list.  The first rule whose regular expression matches decides the family. */
struct agent_rule {
    const char *regex;
    const char *needs; /* lower-case text that every match holds; "" = none is known */
    uint8_t family;    /* a family, or AGENT_CAPTURE */
    bool nocase;
};

/* A text that the capture of a rule may match, and the family it stands for. */
struct agent_name {
    const char *text;
    uint8_t family;
};

/* Families are enum click_reason. */
extern const struct agent_rule agent_bot_rules[];
extern const unsigned agent_n_bot_rules;

/* Expressions for what the agents of people name (agents/people.json); all ignore case. */
enum agent_people_regex {
    AGENT_NAMES_BROWSER,    /* a browser or an engine */
    AGENT_NAMES_DEVICE,     /* a device or its system */
    AGENT_BEGINS_AS_PEOPLE, /* begins with the maker of a phone, a mail program or a text browser */
    AGENT_NAMES_TABLET,     /* the model of an Android tablet */
    AGENT_COMPATIBLE_OTHER, /* "compatible; NAME", where NAME is no person's program */
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
