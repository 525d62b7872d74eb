import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { python } from './python.ts'

const SCRIPT = `
import json, sys
from confluent_kafka.admin import *
brokers, user, password = json.loads(sys.argv[1])
admin = AdminClient({'bootstrap.servers': brokers})
for kind in [ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512]:  # the broker takes one change of a user a request
    change = (
        UserScramCredentialDeletion(user, kind)
        if password is None
        else UserScramCredentialUpsertion(user, ScramCredentialInfo(kind, 4096), password.encode())
    )
    admin.alter_user_scram_credentials([change])[user].result()
`

/** Gives a user this password for SCRAM, or takes the user away if it is null. */
export async function scramUser(brokers: string, user: string, password: string | null): Promise<void> {
  await promisify(execFile)(python, ['-c', SCRIPT, JSON.stringify([brokers, user, password])])
}
