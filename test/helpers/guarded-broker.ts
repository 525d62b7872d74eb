/** A broker whose users may do nothing but what an ACL allows. Its plaintext listener is for its administrator. */

import kafkajs from 'kafkajs'
import type { Right } from '../../src/kafka/index.ts'
import { runKafkaTool } from './kafka-tools.ts'
import { scramUser } from './scram-user.ts'
import { SecuredBroker } from './secured-broker.ts'
import { until } from './until.ts'

const GUARD = {
  'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
  'allow.everyone.if.no.acl.found': 'false',
  'super.users': 'User:ANONYMOUS',
}
const { READ, WRITE, CREATE, DELETE, DESCRIBE, DESCRIBE_CONFIGS } = kafkajs.AclOperationTypes
const OPERATIONS: Readonly<Record<Right['operation'], kafkajs.AclOperationTypes>> = {
  Read: READ,
  Write: WRITE,
  Create: CREATE,
  Delete: DELETE,
  Describe: DESCRIBE,
  DescribeConfigs: DESCRIBE_CONFIGS,
}
const PASSWORD = 'secret-of-a-user'

export class GuardedBroker {
  readonly #secured: SecuredBroker

  private constructor(secured: SecuredBroker) {
    this.#secured = secured
  }

  static async start(closing: (close: () => Promise<void> | void) => void): Promise<GuardedBroker> {
    return new GuardedBroker(await SecuredBroker.start(closing, { properties: GUARD }))
  }

  /** Where the administrator connects. */
  get address(): string {
    return this.#secured.broker.address
  }

  /** Where users connect. */
  get userAddress(): string {
    return this.#secured.address('OPENLOGIN')
  }

  /** Adds a user without rights. Returns the properties of its client. */
  async user(name: string): Promise<Record<string, string>> {
    await scramUser(this.address, name, PASSWORD)
    return {
      'bootstrap.servers': this.userAddress,
      'security.protocol': 'SASL_PLAINTEXT',
      'sasl.mechanism': 'SCRAM-SHA-256',
      'sasl.username': name,
      'sasl.password': PASSWORD,
    }
  }

  /** Runs a command of kafka-acls.sh or kafka-topics.sh that rowmill printed, as the administrator. */
  async run(command: string): Promise<void> {
    const [script, ...words] = command.split(' ')
    const main = { 'kafka-acls.sh': 'AclCommand', 'kafka-topics.sh': 'TopicCommand' }[script!]
    const args = words.map((word, at) => (words[at - 1] === '--bootstrap-server' ? this.address : word))
    await runKafkaTool(`org.apache.kafka.tools.${main}`, args)
  }

  /** Adds or removes a right of a user, as kafka-acls.sh does, but within milliseconds. Resolves when the broker applies it. */
  async change(what: 'add' | 'remove', user: string, { operation, resource, name, prefixed }: Right): Promise<void> {
    const { Kafka, logLevel, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } = kafkajs
    const acl = {
      resourceType: resource === 'topic' ? AclResourceTypes.TOPIC : AclResourceTypes.GROUP,
      resourceName: name,
      resourcePatternType: prefixed ? ResourcePatternTypes.PREFIXED : ResourcePatternTypes.LITERAL,
      principal: `User:${user}`,
      host: '*',
      operation: OPERATIONS[operation],
      permissionType: AclPermissionTypes.ALLOW,
    }
    const admin = new Kafka({ brokers: [this.address], logLevel: logLevel.NOTHING }).admin()
    await admin.connect()
    try {
      if (what === 'add') await admin.createAcls({ acl: [acl] })
      else await admin.deleteAcls({ filters: [acl] })
      await until('the broker knows the change', async () => {
        const { resources } = await admin.describeAcls(acl)
        return resources.length === (what === 'add' ? 1 : 0)
      })
    } finally {
      await admin.disconnect()
    }
  }
}
