/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/xml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int parse(const char *text, struct xml **ret)
{
    struct err err;

    return xml_parse(text, strlen(text), ret, &err);
}

static void answer_is_read(void **state)
{
    static const char text[] =
        "<?xml version=\"1.0\"?>\n<CreateUserResponse "
        "xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\">\n <CreateUserResult>\n  <User>\n"
        "   <UserName>a &amp; b&#252;</UserName>\n   <Tags><member><Key>k1</Key><Value/></member>"
        "<member><Key>k2</Key><Value>v2</Value></member></Tags>\n  </User>\n"
        " </CreateUserResult>\n</CreateUserResponse>";
    const struct xml *tags, *member;
    struct xml *root = NULL;

    (void)state;
    assert_int_equal(parse(text, &root), 0);
    assert_string_equal(xml_name(root), "CreateUserResponse");
    assert_string_equal(xml_get(root, "CreateUserResult/User/UserName"), "a & bü");
    assert_string_equal(xml_get(root, "CreateUserResult/User/UserId"), "");
    assert_null(xml_find(root, "CreateUserResult/User/User"));
    assert_null(xml_find(root, "CreateUser")); /* a prefix of a name is not the name */
    assert_null(xml_find(NULL, "A/B"));
    tags = xml_find(root, "CreateUserResult/User/Tags");
    member = xml_child(tags);
    assert_string_equal(xml_get(member, "Key"), "k1");
    assert_string_equal(xml_get(member, "Value"), "");
    member = xml_next(member);
    assert_string_equal(xml_get(member, "Value"), "v2");
    assert_null(xml_next(member));
    xml_free(root);
    xml_free(NULL);
}

static void both_error_roots(void **state)
{
    static const char *const texts[] = {
        "<ErrorResponse><Error><Type>Sender</Type><Code>NoSuchEntity</Code><Message>gone</Message>"
        "</Error><RequestId>id-1</RequestId></ErrorResponse>",
        "<Response><Errors><Error><Code>NoSuchEntity</Code><Message>gone</Message></Error></Errors>"
        "<RequestID>id-1</RequestID></Response>",
    };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        const char *code, *message, *id;
        struct xml *root = NULL;

        assert_int_equal(parse(texts[i], &root), 0);
        assert_int_equal(xml_error(root, &code, &message, &id), 0);
        assert_string_equal(code, "NoSuchEntity");
        assert_string_equal(message, "gone");
        assert_string_equal(id, "id-1");
        xml_free(root);
    }
}

static void no_error_document(void **state)
{
    static const char *const texts[] = {"<GetUserResponse/>", "<ErrorResponse/>", "<Response/>",
                                        "<html><body/></html>",
                                        "<ErrorResponse><Error><Code/></Error></ErrorResponse>"};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        const char *code, *message, *id;
        struct xml *root = NULL;

        assert_int_equal(parse(texts[i], &root), 0);
        assert_int_equal(xml_error(root, &code, &message, &id), -1);
        xml_free(root);
    }
}

static void document_types_are_refused(void **state)
{
    static const char *const texts[] = {
        "<!DOCTYPE a><a/>",
        "<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>",
        "<!DOCTYPE a [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\">"
        "<!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;\">]><a>&c;</a>",
        "<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><a>&x;</a>",
        "<!DOCTYPE a SYSTEM \"http://127.0.0.1/x.dtd\"><a/>",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct xml *root = NULL;
        struct err err;

        assert_int_not_equal(xml_parse(texts[i], strlen(texts[i]), &root, &err), 0);
        assert_non_null(strstr(err.message, "document type"));
        assert_null(root);
    }
}

static void broken_documents_are_refused(void **state)
{
    static const char text[] = "<A><B>text</B><C k=\"v\"/></A>";
    struct xml *root = NULL;

    (void)state;
    for (size_t len = 0; len + 1 < sizeof(text); len++) { /* every truncation */
        assert_int_not_equal(xml_parse(text, len, &root, NULL), 0);
        assert_null(root);
    }
    assert_int_not_equal(parse("<a></b>", &root), 0);
    assert_int_not_equal(parse("<a/><b/>", &root), 0);
    assert_int_not_equal(parse("<a>&undefined;</a>", &root), 0);
    assert_int_not_equal(parse("<a>\xff</a>", &root), 0);
    assert_int_not_equal(parse("{\"json\":true}", &root), 0);
    assert_int_not_equal(xml_parse("<a>\0</a>", 8, &root, NULL), 0);
    assert_null(root);
}

static char *repeat(const char *head, const char *unit, size_t count, const char *tail)
{
    char *text = malloc(strlen(head) + strlen(unit) * count + strlen(tail) + 1), *p = text;

    assert_non_null(text);
    p = stpcpy(p, head);
    for (size_t i = 0; i < count; i++)
        p = stpcpy(p, unit);
    strcpy(p, tail);
    return text;
}

static void check_size(const char *head, const char *unit, size_t count, const char *tail,
                       bool good)
{
    char *text = repeat(head, unit, count, tail);
    struct xml *root = NULL;
    int rc = xml_parse(text, strlen(text), &root, NULL);

    assert_int_equal(rc == 0, good);
    xml_free(root);
    free(text);
}

static void sizes_are_bounded(void **state)
{
    char *close31 = repeat("", "</a>", 31, ""), *close32 = repeat("", "</a>", 32, "");
    char *close33 = repeat("", "</a>", 33, "");

    (void)state;
    check_size("", "<a>", 31, close31, true);
    check_size("", "<a>", 32, close32, true);
    check_size("", "<a>", 33, close33, false);
    check_size("<a>", "<b/>", 19999, "</a>", true);
    check_size("<a>", "<b/>", 20000, "</a>", false);
    check_size("<a>", "x", 1048576 - 7, "</a>", true);
    check_size("<a>", "x", 1048576 - 6, "</a>", false);
    free(close31);
    free(close32);
    free(close33);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answer_is_read),
        cmocka_unit_test(both_error_roots),
        cmocka_unit_test(no_error_document),
        cmocka_unit_test(document_types_are_refused),
        cmocka_unit_test(broken_documents_are_refused),
        cmocka_unit_test(sizes_are_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
