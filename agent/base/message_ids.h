/* SPDX-License-Identifier: Apache-2.0 */
/* MESSAGE_ID of each journal event (sd_journal_send(3)): fixed for ever, since people filter on them and the catalog
 * explains them. The fields that go with them are named here too. In base/ because service/, schedule/ and lease/ log. */
#ifndef KMS_AGENT_BASE_MESSAGE_IDS_H
#define KMS_AGENT_BASE_MESSAGE_IDS_H

#define MESSAGE_ID_ISSUED "5d1b8a6e0f3c4b7f9a52c1d47e90b3a1"
#define MESSAGE_ID_RENEWED "8c27e4f19b6d4d0ea3f5706b12d8c94e"
#define MESSAGE_ID_REVOKED "e14f7b3c5a2d4c8896d0b1f7a3e56c20"
#define MESSAGE_ID_DENIED "3b9ad0c2774e4f1fb8e6125c9d07fa43"
#define MESSAGE_ID_FAILED "a7f0635e1d8b4e29907c4ab2e8f13d56"
#define MESSAGE_ID_STUCK "c60d92b8f4a74135b2e71f9a58c3d07b"
#define MESSAGE_ID_UNDELIVERED "19e8c5a3d7f24b60a94b3e0f6c72d185"
#define MESSAGE_ID_RELOADED "f2a46d7b0c9e4853bd18e5c7a09f34d6"
#define MESSAGE_ID_RELOAD_FAILED "74d3b1e9a6f84c0285fe1c9b60a7d23e"
#define MESSAGE_ID_SOURCE_FAILED "b85c0f2e6a914d37ac49d7e31b5f8602"
#define MESSAGE_ID_SHARED "6c4f81d0b7e24a359d13c8a2f05e97b4"
#define MESSAGE_ID_CLOCK "0e7a9c4d2b5f4618837cf0d2a1b6e5c9"
#define MESSAGE_ID_ROTATED "4f6e1c83b7d24a0d95a8c2e7039bd61f"
#define MESSAGE_ID_ROTATION_FAILED "92d7a05e3c8b4b6f8e14f0c6b35a71d4"
#define MESSAGE_ID_LEFTOVER "2b8f60c7d14e4f93a6057ec1d9b83f4a"
#define MESSAGE_ID_ORPHAN "92f4c1e07d3b4a6588ae15c3f0d7b264"

/* Field names. */
#define FIELD_PEER_UID "KMS_PEER_UID"
#define FIELD_PEER_PID "KMS_PEER_PID"
#define FIELD_PEER_UNIT "KMS_PEER_UNIT"
#define FIELD_PEER_COMMAND "KMS_PEER_COMMAND"
#define FIELD_SECRET "KMS_SECRET"
#define FIELD_LEASE_ID "KMS_LEASE_ID"
#define FIELD_ACCESS_KEY_ID "KMS_ACCESS_KEY_ID"
#define FIELD_EXPIRES "KMS_EXPIRES"
#define FIELD_REASON "KMS_REASON"
#define FIELD_AWS_ACTION "KMS_AWS_ACTION"
#define FIELD_AWS_REQUEST_ID "KMS_AWS_REQUEST_ID"

#endif
