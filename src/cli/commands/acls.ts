import { checkName } from '../../core/names.ts'
import { RowmillError } from '../../errors.ts'
import { aclCommand, type Right } from '../../kafka/index.ts'
import { ROLES } from '../../options.ts'
import { reportRights, rightsOf, usefulRights } from '../../pipeline/roles.ts'
import { defineCommand } from '../command.ts'
import { printJson } from '../json-output.ts'
import { readKafkaOptions } from '../kafka-options.ts'
import { LOG_OPTIONS } from '../log-options.ts'
import { print } from '../standard-output.ts'
import { strimziUser } from '../strimzi.ts'
import { Terminal } from '../terminal.ts'

const RIGHT = {
  line: 'each right',
  fields: {
    operation: 'what the user may do, such as Read',
    resource: 'topic or group',
    name: 'its name',
    patternType: 'LITERAL, or PREFIXED if the names only begin so',
  },
}

/** It connects to nothing, so it needs no consent to a login without TLS. */
const ADDRESS = ['brokers', 'commandConfig', 'property', 'config'] as const

export const aclsCommand = defineCommand({
  name: 'acls',
  doc: 'print the access rules that a user of a pipeline needs; connects to no broker',
  operands: [],
  example: 'rowmill acls --role work --principal User:rowmill-work --brokers 127.0.0.1:9092',
  options: ['role', 'principal', 'sharedPipeline', 'resourceOutput', ...LOG_OPTIONS, ...ADDRESS],
  docs: { brokers: 'the brokers to name in the printed commands' },
  json: RIGHT,
  async act(_, options) {
    const { role, sharedPipeline: pipeline, resourceOutput } = options
    if (role === null) throw new RowmillError('USAGE', `which role? Give --role ${ROLES.join('|')}`)
    checkName('--pipeline', pipeline)
    const { kafka } = await readKafkaOptions({ ...options, allowSaslWithoutTls: false }, (text, facts) =>
      new Terminal(options).say(text, facts),
    )
    const brokers = kafka?.brokers?.join(',') ?? 'HOST:PORT'
    const principal = options.principal ?? `User:rowmill-${role}`
    const rights = [...rightsOf(role, pipeline), ...reportRights(role, pipeline), ...usefulRights(pipeline)]
    if (resourceOutput === 'strimzi') print(strimziUser(principal.replace(/^User:/, ''), rights))
    else if (resourceOutput === 'json') printJson(RIGHT, rights.map(rightLine))
    else print(aclCommands(brokers, principal, rights))
    return 0
  },
})

const rightLine = ({ prefixed = false, ...right }: Right) => ({
  ...right,
  patternType: prefixed ? 'PREFIXED' : 'LITERAL',
})

/** One command for each operation, on all its topics: each takes Kafka's tool some seconds. */
function aclCommands(brokers: string, principal: string, rights: readonly Right[]): string {
  const alike = Map.groupBy(rights, ({ operation, resource }) => `${operation} ${resource}`)
  const commands = [...alike.values()].map(those => {
    const names = those.map(({ name }) => name)
    return aclCommand(brokers, principal, those[0]!, names)
  })
  return `${commands.join('\n')}\n`
}
