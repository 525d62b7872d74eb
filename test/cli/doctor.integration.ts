/** What rowmill doctor prints, and how it ends. test/doctor has each of its checks. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { test } from 'node:test'
import { doctorCommand } from '../../src/cli/commands/doctor.ts'
import { brokerAddress, testPipeline } from '../helpers/broker.ts'
import { BIN, rowmill, startProgram, testFolder } from '../helpers/cli.ts'
import { freePort } from '../helpers/free-port.ts'

test('a machine and a cluster without a failure: exit 0; with -o json one object for each finding', async t => {
  const { pipeline } = await testPipeline(t)
  const args = ['doctor', '--brokers', await brokerAddress(), '--pipeline', pipeline]
  const text = await rowmill([...args, 'out.csv'], { cwd: testFolder(t) })
  assert.deepEqual([text.code, text.stderr], [0, ''], text.stdout)
  assert.match(text.stdout, /^ok +node +Node \d/)
  assert.match(text.stdout, /^ok +out-disk +.* free$/m)
  assert.match(text.stdout, /^ok +listeners +broker \d+ is at /m)
  const { code, stdout, stderr } = await rowmill([...args, '-o', 'json'])
  assert.equal(code, 0, stderr)
  const lines = stdout
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line))
  for (const line of lines) assert.deepEqual(Object.keys(line), Object.keys(doctorCommand.json!.fields))
  assert.deepEqual(
    lines.filter(({ status }) => status === 'failure'),
    [],
  )
})

test('a failure of this machine is exit 1, and its line has the cure', async t => {
  const env = { PATH: testFolder(t), ROWMILL_PYTHON: 'python3' }
  const { code, stdout } = await rowmill(['doctor'], { env })
  assert.equal(code, 1, stdout)
  assert.match(stdout, /^FAILURE +python +there is no python3 on PATH\n +Cure: name a Python that has pandas/m)
  assert.doesNotMatch(stdout, /login/)
})

test('a shell that allows few open files', async () => {
  const limited = ['-c', 'ulimit -n 100 && exec "$@"', 'sh', process.execPath, BIN, 'doctor']
  const { code, stdout } = await startProgram('sh', limited).finished
  assert.equal(code, 1, stdout)
  assert.match(stdout, /^FAILURE +open-files +a process may open 100 files\n +Cure: .* ulimit -n 4096/m)
})

test('a cluster that cannot be reached is exit 3, and what depends on it is skipped', async () => {
  const closed = `127.0.0.1:${await freePort()}`
  const { code, stdout } = await rowmill(['doctor', '--brokers', closed])
  assert.equal(code, 3, stdout)
  assert.match(stdout, new RegExp(`^FAILURE +addresses +${closed}: nothing listens there`, 'm'))
  assert.match(stdout, /^skipped +login +addresses must be ok first$/m)
  assert.match(stdout, /^skipped +topics +login must be ok first$/m)
})

test('a server that accepts connections and never answers does not hold up the command', async t => {
  const sockets = new Set<Socket>()
  const silent = createServer(socket => sockets.add(socket))
  await once(silent.listen(0, '127.0.0.1'), 'listening')
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    silent.close()
  })
  const address = `127.0.0.1:${(silent.address() as AddressInfo).port}`
  const soon = ['-X', 'socket.connection.setup.timeout.ms=300', '-X', 'request.timeout.ms=300']
  const { code, stdout } = await rowmill(['doctor', '--brokers', address, ...soon])
  assert.equal(code, 3, stdout)
  assert.match(stdout, /^FAILURE +login +no Kafka broker answers/m)
})

test('no line shows the password of the registry; wrong options are exit 2', async () => {
  const port = await freePort()
  const env = { ROWMILL_SCHEMA_REGISTRY: `http://alice:Hunter2@127.0.0.1:${port}` }
  for (const output of ['text', 'json']) {
    const { code, stdout, stderr } = await rowmill(['doctor', '-o', output], { env })
    assert.equal(code, 3, stdout)
    assert.match(stdout, /does not answer/)
    assert.doesNotMatch(stdout + stderr, /Hunter2/)
  }
  const wrong = await rowmill(['doctor', '-X', 'no.such.property=1'])
  assert.deepEqual([wrong.code, wrong.stdout], [2, ''], wrong.stderr)
})
