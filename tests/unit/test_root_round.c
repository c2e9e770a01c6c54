/* SPDX-License-Identifier: Apache-2.0 */
/* When rotations of management keys run: one at a time, asked ones before those in the background,
 * and the background again until nothing is left. Jobs are fakes that the test finishes. */
/* The world has more than this program needs. */
#pragma GCC diagnostic ignored "-Wunused-function"

#include "service_world.h"

#include "service/root_round.h"

static void ask_rotation(void)
{
    call(0, "secret.rotate_root", "secret", "deploy");
}

static void succeed(const char *old_id, const char *new_id)
{
    struct root_key *record = &fakes.rotation->record;

    record->stage = ROOT_KEY_SETTLED;
    strcpy(record->user_name, "manager");
    strcpy(record->current_id, new_id);
    strcpy(fakes.rotation->old_id, old_id);
    fake_finish_rotation(0);
}

static void give_up(int rc)
{
    err_set(&fakes.rotation->err, rc, "it failed");
    fake_finish_rotation(rc);
}

/* The survey under way ends with so many rotations to go on with. */
static void find_pending(size_t count)
{
    for (size_t i = 0; i < count; i++)
        fakes.survey->pending[i] = &fake_secrets[i];
    fakes.survey->pending_count = count;
    fake_finish_survey(0);
}

static void assert_idle(void)
{
    assert_null(fakes.survey);
    assert_null(fakes.rotation);
    assert_int_equal(fakes.job_count, 0);
}

static void answers(void **state)
{
    (void)state;
    ask_rotation();
    assert_int_equal(world.answer_len, 0);
    assert_non_null(fakes.rotation);
    assert_false(fakes.rotation->resume);
    assert_int_equal(fakes.rotation->actor.uid, 0);
    assert_ptr_equal(fakes.rotation->secret, &fake_secrets[0]);
    assert_true(fakes.rotation->job.deadline_ms > 0);
    succeed("AKIAOLD", "AKIANEW");
    assert_string_equal(result("secret"), "deploy");
    assert_string_equal(result("username"), "manager");
    assert_string_equal(result("access_key_id"), "AKIANEW");
    assert_string_equal(result("previous_access_key_id"), "AKIAOLD");
    assert_int_equal(fakes.survey->delay_ms, 0); /* what it may have interrupted */
    find_pending(0);
    assert_idle();
}

static void refusals(void **state)
{
    (void)state;
    call(1000, "secret.rotate_root", "secret", "deploy"); /* may have it, but is no administrator */
    assert_string_equal(code(), "not_allowed");
    call(0, "secret.rotate_root", "secret", "nothing");
    assert_string_equal(code(), "invalid_request");
    call(0, "secret.rotate_root", NULL, NULL);
    assert_string_equal(code(), "invalid_request");
    assert_idle();
    fakes.submit_rc = KMS_ESTOPPING;
    ask_rotation();
    assert_string_equal(code(), "stopping");
    assert_idle();
}

static void failure_is_answered_and_looked_after(void **state)
{
    (void)state;
    ask_rotation();
    give_up(KMS_EAWSDENIED);
    assert_string_equal(code(), "aws_denied");
    assert_string_equal(message(), "it failed");
    assert_int_equal(fakes.audit_count, 1);
    assert_int_equal(fakes.audits[0].event, AUDIT_FAILED);
    assert_string_equal(fakes.audits[0].secret, "deploy");
    assert_string_equal(fakes.audits[0].detail, "it failed");
    assert_int_equal(fakes.survey->delay_ms, 0);
    find_pending(1);
    assert_true(fakes.rotation->resume);
    give_up(KMS_EAWSDENIED);
    assert_int_equal(fakes.survey->delay_ms, 30000);
    find_pending(1);
    succeed("AKIAOLD", "AKIANEW");
    assert_idle();
}

static void one_at_a_time(void **state)
{
    struct rotation *first;

    (void)state;
    ask_rotation();
    first = fakes.rotation;
    ask_rotation();
    assert_string_equal(code(), "busy");
    assert_ptr_equal(fakes.rotation, first);
    assert_int_equal(fakes.canceled, 0);
    succeed("AKIAOLD", "AKIANEW");
    assert_string_equal(result("access_key_id"), "AKIANEW");
}

static void the_background_makes_way(void **state)
{
    (void)state;
    service_start_root_keys(world.service);
    find_pending(2);
    assert_true(fakes.rotation->resume);
    ask_rotation();
    assert_int_equal(fakes.canceled, 1);
    ask_rotation();
    assert_string_equal(code(), "busy"); /* one waits already */
    give_up(0);                          /* the canceled one */
    assert_false(fakes.rotation->resume);
    succeed("AKIAOLD", "AKIANEW");
    assert_string_equal(result("access_key_id"), "AKIANEW");
    find_pending(2); /* anew: both are looked at again */
    assert_ptr_equal(fakes.rotation->secret, &fake_secrets[0]);
    succeed("AKIAOLD", "AKIANEW");
    assert_ptr_equal(fakes.rotation->secret, &fake_secrets[1]);
    succeed("AKIAOLD", "AKIANEW");
    assert_idle();
}

static void a_waiting_survey_makes_way(void **state)
{
    (void)state;
    service_start_root_keys(world.service);
    fake_finish_survey(KMS_ESTORE);
    assert_int_equal(fakes.survey->delay_ms, 30000);
    ask_rotation();
    fake_finish_survey(0);
    assert_non_null(fakes.rotation);
    succeed("AKIAOLD", "AKIANEW");
    assert_int_equal(fakes.survey->delay_ms, 0);
}

static void all_pending_ones_get_their_turn(void **state)
{
    (void)state;
    service_start_root_keys(world.service);
    find_pending(2);
    give_up(KMS_EAWSDOWN); /* that of the first secret keeps nobody up */
    assert_ptr_equal(fakes.rotation->secret, &fake_secrets[1]);
    succeed("AKIAOLD", "AKIANEW");
    assert_int_equal(fakes.survey->delay_ms, 30000);
    find_pending(1);
    succeed("AKIAOLD", "AKIANEW");
    assert_idle();
}

static void a_reload_looks_again(void **state)
{
    (void)state;
    call(0, "agent.reload", NULL, NULL);
    fake_run_jobs();
    assert_non_null(fakes.survey);
    assert_ptr_equal(fakes.survey->config, &fake_next_config);
    call(0, "agent.reload", NULL, NULL);
    fake_run_jobs();
    assert_int_equal(fakes.canceled, 1);
    fake_finish_survey(0);
    assert_non_null(fakes.survey); /* with the newest configuration */
    find_pending(0);
    assert_idle();
}

static void the_client_is_gone(void **state)
{
    (void)state;
    ask_rotation();
    service_gone(world.service, conn);
    assert_false(
        atomic_load(&fakes.rotation->job.canceled)); /* what was begun is brought to its end */
    succeed("AKIAOLD", "AKIANEW");
    assert_int_equal(world.answer_len, 0);
}

static void stopping(void **state)
{
    (void)state;
    ask_rotation();
    fakes.submit_rc = KMS_ESTOPPING;
    err_set(&fakes.rotation->err, KMS_ECANCELED, "the rotation was interrupted");
    fake_finish_rotation(KMS_ECANCELED);
    assert_string_equal(code(), "stopping");
    assert_idle();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(answers, open_world, close_world),
        cmocka_unit_test_setup_teardown(refusals, open_world, close_world),
        cmocka_unit_test_setup_teardown(failure_is_answered_and_looked_after, open_world,
                                        close_world),
        cmocka_unit_test_setup_teardown(one_at_a_time, open_world, close_world),
        cmocka_unit_test_setup_teardown(the_background_makes_way, open_world, close_world),
        cmocka_unit_test_setup_teardown(a_waiting_survey_makes_way, open_world, close_world),
        cmocka_unit_test_setup_teardown(all_pending_ones_get_their_turn, open_world, close_world),
        cmocka_unit_test_setup_teardown(a_reload_looks_again, open_world, close_world),
        cmocka_unit_test_setup_teardown(the_client_is_gone, open_world, close_world),
        cmocka_unit_test_setup_teardown(stopping, open_world, close_world),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
