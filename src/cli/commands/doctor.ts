import { keptFolder } from '../../broker/kept/kept-folder.ts'
import { clusterSettings } from '../../client-config/kafka-options.ts'
import { checkName } from '../../core/names.ts'
import type { CheckFinding, DoctorContext, Status } from '../../doctor/check.ts'
import { ClusterAccess } from '../../doctor/cluster-access.ts'
import { examine, exitCodeOf } from '../../doctor/doctor.ts'
import { thisMachine } from '../../doctor/machine.ts'
import type { Examined } from '../../doctor/run-checks.ts'
import type { OptionValues } from '../../options.ts'
import { unlessAborted } from '../../support/abort.ts'
import { Secrets } from '../../support/credentials.ts'
import { printable } from '../../support/printable.ts'
import { version } from '../../support/version.ts'
import { defineCommand } from '../command.ts'
import { printJson } from '../json-output.ts'
import { KAFKA_OPTIONS, readKafkaOptions } from '../kafka-options.ts'
import { type Session, withinLimits } from '../limits.ts'
import { LOG_OPTIONS } from '../log-options.ts'
import { registryUrl } from '../registry-url.ts'
import { print } from '../standard-output.ts'

const JSON_SHAPE = {
  line: 'each finding',
  fields: {
    check: 'what was examined',
    status: 'ok, warning, failure or skipped',
    message: 'what was found',
    cure: 'what to do; null if nothing is wrong',
  },
}

const OPTIONS = [
  ...KAFKA_OPTIONS,
  'sharedPipeline',
  'workers',
  'role',
  'python',
  'schemaRegistry',
  'schemaRegistryUserinfoFile',
  'output',
  ...LOG_OPTIONS,
] as const
type DoctorOptions = OptionValues<(typeof OPTIONS)[number]>

export const doctorCommand = defineCommand({
  name: 'doctor',
  doc: 'examine this machine and, with --brokers or --command-config, the cluster and the pipeline; each fault comes with its cure',
  operands: [
    { name: 'OUT', doc: 'a file that a command will write; doctor also checks that its disk has room', optional: true },
  ],
  example: 'rowmill doctor --command-config client.properties --workers 4',
  options: OPTIONS,
  docs: {
    brokers:
      'the Kafka brokers to examine; if neither this nor a client property names any, only this machine is examined',
    workers: 'how many workers you plan to run',
    role: 'check that the user has the rights of this role',
    schemaRegistry: 'the schema registry to examine',
  },
  json: JSON_SHAPE,
  async act([out], options) {
    checkName('--pipeline', options.sharedPipeline)
    return await withinLimits(
      { timeout: null, quiet: options.quiet, logLevel: options.logLevel },
      'before all was examined',
      session => unlessAborted(examineAll(out ?? null, options, session), session.signal),
    )
  },
})

async function examineAll(out: string | null, options: DoctorOptions, { say, signal }: Session): Promise<number> {
  const { sharedPipeline: pipeline, workers, role, python, output } = options
  const { kafka, config } = await readKafkaOptions(options, say)
  const logsClient = options.logLevel === 'debug'
  const settings = kafka && { ...clusterSettings(kafka), clientId: 'rowmill-doctor', logsClient }
  const registry = await registryUrl(options, config.registry)
  const cluster = settings && new ClusterAccess(settings, signal, say)
  const machine = thisMachine()
  const place = keptFolder(version())
  const context: DoctorContext = { machine, cluster, keptFolder: place, pipeline, workers, role, python, out, registry }
  const secrets = new Secrets(registry === null ? [] : [registry])
  const tell = output === 'json' ? tellJson : tellText
  const all: Examined[] = []
  for await (const examined of examine(context)) {
    all.push(examined)
    for (const finding of examined.findings) tell(examined.check, masked(finding, secrets))
  }
  return exitCodeOf(all)
}

function masked({ status, text, cure }: CheckFinding, secrets: Secrets): CheckFinding {
  return { status, text: secrets.mask(text), cure: cure === null ? null : secrets.mask(cure) }
}

function tellJson(check: Examined['check'], { status, text, cure }: CheckFinding): void {
  printJson(JSON_SHAPE, [{ check, status, message: text, cure }])
}

const WIDTHS = { status: 'failure'.length + 2, check: 'registry-client'.length + 2 }

function tellText(check: string, { status, text, cure }: CheckFinding): void {
  const marked: Record<Status, string> = { ok: 'ok', warning: 'warning', failure: 'FAILURE', skipped: 'skipped' }
  const head = marked[status].padEnd(WIDTHS.status) + check.padEnd(WIDTHS.check)
  const indent = ' '.repeat(head.length)
  const lines = `${text}\n${cure === null ? '' : `Cure: ${cure}\n`}`.trimEnd().replaceAll('\n', `\n${indent}`)
  print(printable(`${head}${lines}\n`))
}
