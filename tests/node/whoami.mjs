// SPDX-License-Identifier: Apache-2.0
// Real calls with whatever credentials the SDK's own default chain finds; prints what came of them as JSON.
import { IAMClient, ListUsersCommand } from "@aws-sdk/client-iam";
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";

const endpoint = process.env.CLOUD_URL;
const sts = new STSClient({ endpoint, maxAttempts: 1 });
const iam = new IAMClient({ endpoint, maxAttempts: 1, region: "us-east-1" });
const identity = await sts.send(new GetCallerIdentityCommand({}));
const users = await iam.send(new ListUsersCommand({}));
const credentials = await sts.config.credentials();
console.log(JSON.stringify({
  arn: identity.Arn,
  account: identity.Account,
  users: users.Users.map((user) => user.UserName),
  region: await sts.config.region(),
  expiration: credentials.expiration?.toISOString() ?? null,
}));
