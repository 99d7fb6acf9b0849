/* Files that change beneath a daemon: seen once they have settled, and once only. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "files.h"
#include "service/daemon/watch.h"

static void replace_file(const char *path, const char *text)
{
    write_file("new", text);
    assert_int_equal(rename("new", path), 0);
}

static void write_over(void)
{
    write_file("keys", "longer than before\n");
}
static void write_anew(void)
{
    replace_file("keys", "a\n");
}
static void take_away(void)
{
    assert_int_equal(unlink("keys"), 0);
}
static void make_new(void)
{
    write_file("api-keys", "b\n");
}
static void touch_another(void)
{
    write_file("another", "c\n");
}
static void leave(void)
{
}

static void swap_link(void)
{
    assert_int_equal(mkdir("..2", 0700), 0);
    write_file("..2/config", "a\n");
    assert_int_equal(symlink("..2", "new"), 0);
    assert_int_equal(rename("new", "..data"), 0);
}

static void watch_all(struct watch *watch)
{
    watch_begin(watch);
    assert_true(watch_add(watch, "config", NULL));
    assert_true(watch_add(watch, "keys", NULL));
    assert_true(watch_add(watch, "api-keys", NULL));
    watch_end(watch);
}

static void test_changes(void **state)
{
    const struct {
        const char *name;
        void (*change)(void);
        bool want;
    } cases[] = {
        {"nothing", leave, false},
        {"a file written over", write_over, true},
        {"a file written anew, with the same text", write_anew, true},
        {"a file that is gone", take_away, true},
        {"a file that was not there", make_new, true},
        {"a link that leads elsewhere, as Kubernetes does it", swap_link, true},
        {"a file that is not watched", touch_another, false},
    };
    char dir[] = "/tmp/test_watch_XXXXXX";

    (void)state;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(chdir(dir), 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct watch watch = {0};

        print_message("%s\n", cases[i].name);
        assert_int_equal(system("rm -rf ./* ./..1 ./..2 ./..data && mkdir ..1"), 0);
        write_file("..1/config", "a\n");
        write_file("keys", "a\n");
        assert_int_equal(symlink("..1", "..data"), 0);
        assert_int_equal(symlink("..data/config", "config"), 0);
        watch_all(&watch);
        assert_false(watch_has_changed(&watch));
        cases[i].change();
        assert_false(watch_has_changed(&watch)); /* it may be half written */
        assert_int_equal(watch_has_changed(&watch), cases[i].want);
        assert_int_equal(watch_has_changed(&watch), cases[i].want); /* until it is marked */
        watch_all(&watch); /* says nothing new, and hides no change */
        assert_int_equal(watch_has_changed(&watch), cases[i].want);
        watch_mark(&watch);
        assert_false(watch_has_changed(&watch));
        assert_false(watch_has_changed(&watch));
        watch_clear(&watch);
    }
    assert_int_equal(chdir("/"), 0);
}

static void print_restart(const struct watch *watch, const char *want)
{
    char text[64] = "";
    FILE *out = fmemopen(text, sizeof(text), "w");

    assert_non_null(out);
    watch_print_restart(watch, out);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(text, want);
}

static void what_only_a_restart_reads_is_named_until_then(void **state)
{
    char dir[] = "/tmp/test_watch_XXXXXX";
    struct watch watch = {0};

    (void)state;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(chdir(dir), 0);
    write_file("keys", "a\n");
    write_file("secret", "a\n");
    watch_begin(&watch);
    assert_true(watch_add(&watch, "keys", NULL));
    assert_true(watch_add(&watch, "secret", "redis.password_file"));
    watch_end(&watch);
    print_restart(&watch, "");
    write_file("keys", "another\n");
    watch_mark(&watch);
    print_restart(&watch, "");
    write_file("secret", "another\n");
    assert_false(watch_has_changed(&watch));
    assert_true(watch_has_changed(&watch));
    for (int i = 0; i < 2; i++) {
        watch_mark(&watch);
        assert_false(watch_has_changed(&watch));
        print_restart(&watch, "redis.password_file");
    }
    watch_begin(&watch); /* it is named no more */
    assert_true(watch_add(&watch, "keys", NULL));
    watch_end(&watch);
    print_restart(&watch, "");
    watch_clear(&watch);
    assert_int_equal(chdir("/"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_changes),
        cmocka_unit_test(what_only_a_restart_reads_is_named_until_then),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
