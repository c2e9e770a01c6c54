/* SPDX-License-Identifier: Apache-2.0 */
/* The matrix: kernel-given identity × kind of rule. Default deny. */
#include "policy/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const uint32_t groups[] = {100, 200, 65534, UINT32_MAX};

static struct rule all_rules[] = {
    {RULE_UNIT, 0, "unit:web.service"},
    {RULE_GROUP, 200, "group:ops"},
    {RULE_USER, 1000, "user:app"},
    {RULE_USER, 65534, "user:nobody"},
    {RULE_USER, UINT32_MAX, "user:4294967295"},
    {RULE_GROUP, 65534, "group:nogroup"},
    {RULE_GROUP, UINT32_MAX, "group:4294967295"},
};

enum { UNIT, GROUP, USER, NOBODY, USER_NONE, NOGROUP, GROUP_NONE };

struct row {
    const char *what;
    struct peer_facts peer;
    int rule; /* index into all_rules, the only rule in the list */
    bool granted;
};

static const struct row rows[] = {
    {"right uid", {1000, 1000, groups, 0, NULL}, USER, true},
    {"other uid", {1001, 1001, groups, 0, NULL}, USER, false},
    {"root has no implicit right", {0, 0, groups, 0, NULL}, USER, false},
    {"root has no right by group", {0, 0, groups, 0, NULL}, GROUP, false},
    {"primary group", {1001, 200, groups, 0, NULL}, GROUP, true},
    {"supplementary group", {1001, 1001, groups, 2, NULL}, GROUP, true},
    {"group not among the peer's", {1001, 1001, groups, 1, NULL}, GROUP, false},
    {"uid equal to the gid of a rule", {200, 1001, groups, 0, NULL}, GROUP, false},
    {"gid equal to the uid of a rule", {1001, 1000, groups, 0, NULL}, USER, false},
    {"unit", {1001, 1001, groups, 0, "web.service"}, UNIT, true},
    {"other unit", {1001, 1001, groups, 0, "web2.service"}, UNIT, false},
    {"unit that only begins alike", {1001, 1001, groups, 0, "web.service.d"}, UNIT, false},
    {"unknown unit fails closed", {1001, 1001, groups, 0, NULL}, UNIT, false},
    {"empty unit fails closed", {1001, 1001, groups, 0, ""}, UNIT, false},
    {"no pid namespace in common: uid still works", {1000, 1000, groups, 0, NULL}, USER, true},
    {"unmapped uid never matches its own rule", {65534, 1, groups, 0, NULL}, NOBODY, false},
    {"unmapped uid never matches a group", {65534, 200, groups, 4, NULL}, GROUP, false},
    {"unmapped uid never matches a unit", {65534, 1, groups, 0, "web.service"}, UNIT, false},
    {"uid -1 never matches its own rule", {UINT32_MAX, 1, groups, 0, NULL}, USER_NONE, false},
    {"uid -1 never matches a group", {UINT32_MAX, 200, groups, 4, NULL}, GROUP, false},
    {"gid 65534 never matches", {1001, 65534, groups, 0, NULL}, NOGROUP, false},
    {"supplementary 65534 never matches", {1001, 1001, groups, 4, NULL}, NOGROUP, false},
    {"gid -1 never matches", {1001, UINT32_MAX, groups, 4, NULL}, GROUP_NONE, false},
};

static void matrix(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct rule_list list = {&all_rules[rows[i].rule], 1};
        const struct rule *rule = policy_match(&list, &rows[i].peer);

        if (rule != (rows[i].granted ? &all_rules[rows[i].rule] : NULL))
            fail_msg("%s: %s", rows[i].what, rule == NULL ? "denied" : rule->text);
        assert_int_equal(policy_is_admin(&list, &rows[i].peer),
                         rows[i].granted || rows[i].peer.uid == 0);
    }
}

static void empty_list_denies(void **state)
{
    struct rule_list list = {NULL, 0};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_null(policy_match(&list, &rows[i].peer));
    assert_false(policy_needs_unit(&list));
}

/* Unit facts are the dearest and the weakest, so the others are tried first, in the order written.
 */
static void user_and_group_before_unit(void **state)
{
    struct rule_list list = {all_rules, 3};
    struct peer_facts peer = {1000, 1000, groups, 2, "web.service"};

    (void)state;
    assert_ptr_equal(policy_match(&list, &peer), &all_rules[GROUP]);
    peer.group_count = 0;
    assert_ptr_equal(policy_match(&list, &peer), &all_rules[USER]);
    peer.uid = 1001;
    assert_ptr_equal(policy_match(&list, &peer), &all_rules[UNIT]);
    peer.unit = NULL;
    assert_null(policy_match(&list, &peer));
}

static void unit_needed_only_for_unit_rules(void **state)
{
    struct rule_list with = {all_rules, 3}, without = {&all_rules[1], 2};

    (void)state;
    assert_true(policy_needs_unit(&with));
    assert_false(policy_needs_unit(&without));
}

static void ownership(void **state)
{
    struct peer_facts peer = {1000, 1000, groups, 0, NULL};

    (void)state;
    assert_true(policy_owns(&peer, 1000, "user:app"));
    assert_true(policy_owns(&peer, 1000, "group:ops"));
    assert_false(policy_owns(&peer, 1001, "user:app"));
    assert_false(policy_owns(&peer, 1000, "unit:web.service"));
    peer.unit = "web.service";
    assert_true(policy_owns(&peer, 1000, "unit:web.service"));
    peer.unit = "other.service";
    assert_false(policy_owns(&peer, 1000, "unit:web.service"));
    peer.uid = 0; /* root is an admin, not an owner */
    assert_false(policy_owns(&peer, 1000, "user:app"));
    peer.uid = 65534;
    assert_false(policy_owns(&peer, 65534, "user:nobody"));
    peer.uid = UINT32_MAX;
    assert_false(policy_owns(&peer, UINT32_MAX, "user:x"));
}

static void list_done_empties(void **state)
{
    struct rule_list list = {calloc(1, sizeof(struct rule)), 1};

    (void)state;
    rule_list_done(&list);
    assert_null(list.rules);
    assert_int_equal(list.count, 0);
    rule_list_done(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matrix),
        cmocka_unit_test(empty_list_denies),
        cmocka_unit_test(user_and_group_before_unit),
        cmocka_unit_test(unit_needed_only_for_unit_rules),
        cmocka_unit_test(ownership),
        cmocka_unit_test(list_done_empties),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
