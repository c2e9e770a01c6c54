/* SPDX-License-Identifier: Apache-2.0 */
#include "base/thread_role.h"

_Thread_local enum thread_role thread_role = THREAD_ANY;
