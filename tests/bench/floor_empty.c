/* SPDX-License-Identifier: Apache-2.0 */
/* kms-bench-empty: a process with the libraries of the agent that does nothing. One function of
 * each is named, so that the linker keeps them all; none is called. */
#include <curl/curl.h>
#include <event2/event.h>
#include <expat.h>
#include <jansson.h>
#include <libconfig.h>
#include <lmdb.h>
#include <msgpack.h>
#include <openssl/crypto.h>
#include <stdint.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

int main(void)
{
    const volatile uintptr_t functions[] = {
        (uintptr_t)event_base_new, (uintptr_t)curl_easy_init,      (uintptr_t)XML_ParserCreate,
        (uintptr_t)json_object,    (uintptr_t)config_init,         (uintptr_t)mdb_env_create,
        (uintptr_t)sd_notify,      (uintptr_t)OPENSSL_init_crypto, (uintptr_t)msgpack_unpack_next,
    };

    for (;;)
        if (functions[0] != 0)
            pause();
}
