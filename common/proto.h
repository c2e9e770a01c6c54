/* SPDX-License-Identifier: Apache-2.0 */
/* Names and limits of the protocol (PROTOCOL.md). Constants only. */
#ifndef KMS_COMMON_PROTO_H
#define KMS_COMMON_PROTO_H

#define KMS_DEFAULT_SOCKET "/run/kms-agent/agent.sock"
#define KMS_SOCKET_ENV "KMS_AGENT_SOCKET"
#define KMS_SECRET_ENV "KMS_SECRET"

#define PROTO_FIRST_BYTE 0x94           /* a request is an array of four */
#define PROTO_REQUEST_MAX 65536         /* bytes of a request */
#define PROTO_REQUEST_STRING_MAX 4096   /* bytes of a string in a request */
#define PROTO_ANSWER_MAX 1048576        /* bytes of an answer */
#define PROTO_ANSWER_STRING_MAX 65536   /* bytes of a string in an answer */
#define PROTO_DEPTH_MAX 8               /* containers within containers */
#define PROTO_ELEMENTS_MAX 256          /* elements of an array, pairs of a map, in a request */
#define PROTO_ANSWER_ELEMENTS_MAX 1024  /* the same in an answer */
#define PROTO_IN_FLIGHT_MAX 16          /* requests of one connection being worked on */
#define PROTO_IDLE_MS 60000             /* a connection with nothing in flight is closed after this */
#define PROTO_MESSAGE_MS 5000           /* a message must be complete this long after its first byte */
#define PROTO_LIST_LIMIT_MAX 256        /* rows of one page of a list */
#define PROTO_LIST_LIMIT_DEFAULT 100

enum kms_method {
#define KMS_METHOD(name, wire, access) METHOD_##name,
#include "common/ops.def"
    METHOD_COUNT
};

enum kms_access { ACCESS_ANY, ACCESS_OWN, ACCESS_ADMIN };

/* Wire name of a method, NULL if out of range. */
const char *proto_method_name(enum kms_method method);
/* Method of a wire name of len bytes; -1 if there is none. */
int proto_method_find(const char *name, unsigned long len);
/* Who may call the method at all. */
enum kms_access proto_method_access(enum kms_method method);

#endif
