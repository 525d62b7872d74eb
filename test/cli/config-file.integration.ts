/** A whole run with a file of options, on a broker that asks for a login over TLS. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, type TestContext, test } from 'node:test'
import { rowmill, testFolder } from '../helpers/cli.ts'
import { PASSWORD, SecuredBroker, USER } from '../helpers/secured-broker.ts'
import { serialJob } from '../helpers/serial.ts'

const CLASSIFIERS = join(import.meta.dirname, '../fixtures/classifiers.py')

const closes: (() => Promise<void> | void)[] = []
let secured: SecuredBroker
before(async () => {
  secured = await SecuredBroker.start(close => closes.unshift(close))
})
after(async () => {
  for (const close of closes) await close()
})

/** A folder with in.csv, and `configure`, which writes rowmill.yaml with these lines and the login. */
function place(t: TestContext, rows: readonly string[]) {
  const folder = testFolder(t)
  writeFileSync(join(folder, 'in.csv'), `ID,A\n${rows.map((value, row) => `${row},${value}\n`).join('')}`)
  const configure = (...lines: string[]) => {
    const kafka = {
      'security.protocol': 'SASL_SSL',
      'sasl.mechanism': 'SCRAM-SHA-256',
      'sasl.username': USER,
      'sasl.password': PASSWORD,
      'ssl.ca.location': secured.authority.ca,
    }
    const login = Object.entries(kafka).map(([name, value]) => `  ${name}: ${JSON.stringify(value)}`)
    const brokers = `brokers: ["${secured.address('LOGIN')}"]`
    const text = [brokers, 'workers: 1', ...lines, 'kafka:', ...login].join('\n')
    writeFileSync(join(folder, 'rowmill.yaml'), text, { mode: 0o600 })
  }
  const run = (args: readonly string[], env: Record<string, string> = {}) => rowmill(args, { cwd: folder, env })
  return { folder, configure, run }
}

const VALUES = Array.from({ length: 20 }, (_, row) => `x${row}`)

test('a run gets brokers, login and classifier from the file, and a resumed run keeps what it began with', async t => {
  const { folder, configure, run } = place(t, VALUES)
  configure(`classifier: ${CLASSIFIERS}:a_float`)
  const config = ['--config', 'rowmill.yaml']
  const crash = { ROWMILL_CRASH: `rows-acked:1 ${join(folder, 'killed')}` }
  const killed = await run(['run', 'in.csv', 'out.csv', ...config], crash)
  assert.equal(killed.signal, 'SIGKILL', killed.stderr)
  rmSync(join(folder, 'killed'))
  const kept = readFileSync(join(folder, 'out.csv.rowmill/run.json'), 'utf8')
  assert.ok(!kept.includes(JSON.stringify(PASSWORD).slice(1, -1)), 'run.json has no password')

  const without = await run(['run', '--resume', 'out.csv'])
  assert.equal(without.code, 2, 'the password is in the file alone')
  assert.match(
    without.stderr,
    /needs a password.*The run began with --config \/\S+\/rowmill\.yaml: give that again \[USAGE\]$/m,
  )
  configure(`classifier: ${CLASSIFIERS}:raises`, 'header: true', 'batch-rows: 3', 'job: other')
  const resumed = await run(['run', '--resume', 'out.csv', ...config])
  assert.equal(resumed.code, 0, resumed.stderr)
  const serial = await serialJob(join(folder, 'in.csv'), `${CLASSIFIERS}:a_float`)
  assert.equal(readFileSync(join(folder, 'out.csv'), 'utf8'), serial)
  assert.deepEqual(readdirSync(folder).sort(), ['in.csv', 'out.csv', 'rowmill.yaml'])
})

test('the line that resumes a run names the file, and nothing shows its password', async t => {
  const { configure, run } = place(t, [...VALUES, 'bad'])
  configure(`classifier: ${CLASSIFIERS}:raises`)
  const failed = await run(['run', 'in.csv', 'out.csv'], { ROWMILL_CONFIG: 'rowmill.yaml' })
  assert.equal(failed.code, 5, failed.stderr)
  assert.match(failed.stderr, /resume with: rowmill run --resume out\.csv --config rowmill\.yaml$/m)
  assert.ok(!failed.stderr.includes(PASSWORD))
})

test('a wrong key ends the command before anything starts', async t => {
  const { configure, run } = place(t, VALUES)
  configure('clasifier: x')
  const { code, stdout, stderr } = await run(['run', 'in.csv', 'out.csv', '--config', 'rowmill.yaml'])
  assert.deepEqual([code, stdout], [2, ''])
  assert.match(
    stderr,
    /^rowmill: rowmill\.yaml, line 3: there is no option clasifier: did you mean classifier\? \[USAGE\]$/m,
  )
})
