/** However a run ends, it leaves no JVM and no Python. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type TestContext, test } from 'node:test'
import { brokerAddress } from '../helpers/broker.ts'
import { startProgram, startRowmill, testFolder } from '../helpers/cli.ts'
import { descendants, freeze, infoOf, type ProcessInfo, untilGone } from '../helpers/processes.ts'
import { python } from '../helpers/python.ts'
import { serialJob } from '../helpers/serial.ts'

const CLASSIFIER = join(import.meta.dirname, '../fixtures/classifiers.py:says_when_it_works')

/** A run with its own broker whose classifier prints `sign`; resolves with every process below it. */
async function runUntil(t: TestContext, sign: string, classifier: string) {
  const folder = testFolder(t)
  const [input, output] = [join(folder, 'in.csv'), join(folder, 'out.csv')]
  writeFileSync(input, `ID,A\n${Array.from({ length: ROWS }, (_, i) => `${i},x\n`).join('')}`)
  const { child, finished } = startRowmill(['run', input, output, '--classifier', classifier, '--workers', '2'], {
    env: { ROWMILL_BROKERS: '' },
  })
  t.after(() => child.kill('SIGKILL'))
  const lines = createInterface(child.stderr)
  for await (const line of lines) if (line === sign) break
  const below = descendants(child.pid!)
  assert.match(below.map(({ name }) => name).join(' '), /python/)
  return { child, finished, below, folder }
}

async function runAtWork(t: TestContext) {
  const run = await runUntil(t, 'at work', CLASSIFIER)
  assert.match(run.below.map(({ name }) => name).join(' '), /java/)
  return run
}

const ROWS = 800

for (const [signal, code] of [
  ['SIGHUP', 129],
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGKILL', null],
] as const) {
  test(`${signal} ends a run with no process left, and --resume finishes it with the same bytes`, async t => {
    const { child, finished, below, folder } = await runAtWork(t)
    child.kill(signal)
    const ended = await finished
    assert.equal(ended.code, code)
    await untilGone(below)
    assert.deepEqual(readdirSync(folder).sort(), ['in.csv', 'out.csv.rowmill'])
    const [input, output] = [join(folder, 'in.csv'), join(folder, 'out.csv')]
    const lastLine = ended.stderr.trimEnd().split('\n').at(-1)
    if (code !== null) assert.equal(lastLine, `rowmill: to resume: rowmill run --resume ${output}`)

    const begun = await startRowmill(['run', input, output, '--classifier', CLASSIFIER]).finished
    assert.equal(begun.code, 2, begun.stderr)
    assert.match(begun.stderr, /holds an unfinished run.*--restart.*\n.*rowmill run --resume .*out\.csv\n$/)
    const resumed = await startRowmill(['run', '--resume', output], { cwd: tmpdir() }).finished
    assert.equal(resumed.code, 0, resumed.stderr)
    assert.equal(readFileSync(output, 'utf8'), await serialJob(input, CLASSIFIER))
    assert.deepEqual(readdirSync(folder).sort(), ['in.csv', 'out.csv'])
  })
}

test('a closed terminal ends a run with 129, leaving no process and all that --resume needs', async t => {
  const folder = testFolder(t)
  const [input, output] = [join(folder, 'in.csv'), join(folder, 'out.csv')]
  writeFileSync(input, `ID,A\n${Array.from({ length: ROWS }, (_, i) => `${i},x\n`).join('')}`)
  const lines = [
    'import os, pty, sys',
    'pid, terminal = pty.fork()',
    'if pid == 0: os.execv(sys.argv[1], sys.argv[1:])',
    'said = b""',
    'while b"at work" not in said: said += os.read(terminal, 4096)',
    'print(pid, flush=True)',
    'sys.stdin.read()',
    'os.close(terminal)',
    'print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))',
  ]
  const args = [join(import.meta.dirname, '../../bin/rowmill.js'), 'run', input, output, '--classifier', CLASSIFIER]
  const command = ['-c', lines.join('\n'), process.execPath, ...args, '--workers', '2']
  const { child, finished } = startProgram(python, command, { env: { ROWMILL_BROKERS: '' }, inputStays: true })
  const [pid] = (await once(createInterface(child.stdout), 'line')) as [string]
  const below = descendants(Number(pid))
  assert.ok(below.length >= 4)
  child.stdin.end()
  assert.equal((await finished).stdout.trim().split('\n').at(-1), '129')
  await untilGone(below)
  const resumed = await startRowmill(['run', '--resume', output]).finished
  assert.equal(resumed.code, 0, resumed.stderr)
})

test('a second signal during the end of a run leaves the line that resumes it', async t => {
  const { child, finished, below } = await runAtWork(t)
  child.stderr.resume()
  await freeze(below.find(({ name }) => name === 'java')!.pid)
  child.kill('SIGINT')
  const again = setInterval(() => child.kill('SIGTERM'), 50) // the first ones count as the same signal, and the last one may meet the end of the process
  const { stderr } = await finished
  clearInterval(again)
  assert.match(
    stderr,
    /interrupted by SIG.* before .* \[INTERRUPTED\]\nrowmill: to resume: rowmill run --resume .*out\.csv\n$/,
  )
  await untilGone(below)
})

test('a second signal ends a run that waits for a silent broker, with the line that starts it again', async t => {
  const silent = createServer(socket => socket.on('error', () => {}))
  silent.listen(0, '127.0.0.1')
  await once(silent, 'listening')
  t.after(() => silent.close())
  const asked = once(silent, 'connection')
  const folder = testFolder(t)
  const [input, output] = [join(folder, 'in.csv'), join(folder, 'out.csv')]
  writeFileSync(input, 'ID,A\n1,x\n')
  const { port } = silent.address() as AddressInfo
  const args = ['run', input, output, '--classifier', CLASSIFIER, '--brokers', `127.0.0.1:${port}`]
  const { child, finished } = startRowmill(args)
  await asked
  child.kill('SIGINT')
  const again = setInterval(() => child.kill('SIGTERM'), 50)
  const { code, stderr } = await finished
  clearInterval(again)
  assert.equal(code, 143, stderr)
  assert.match(
    stderr,
    /before everything was closed \[INTERRUPTED\]\nrowmill: to start again: rowmill run .*in\.csv .*\n$/,
  )
})

test('Ctrl-C during the import and the broker startup leaves no process and no file', async t => {
  const imports = join(import.meta.dirname, '../fixtures/slow_to_import.py')
  const { child, below, folder } = await runUntil(t, 'importing', imports)
  child.kill('SIGINT')
  const [code] = await once(child, 'exit')
  assert.equal(code, 130)
  await untilGone(below)
  assert.deepEqual(readdirSync(folder), ['in.csv'])
})

test('--restart discards an unfinished run and begins with the first row', async t => {
  const { child, below, folder } = await runAtWork(t)
  child.kill('SIGKILL')
  await untilGone(below)
  assert.equal(existsSync(join(folder, 'out.csv')), false)
  const [input, output] = [join(folder, 'in.csv'), join(folder, 'out.csv')]
  writeFileSync(input, 'ID,A\n1,x\n')
  const args = ['run', input, output, '--classifier', CLASSIFIER, '--restart']
  const again = await startRowmill(args, { env: { ROWMILL_BROKERS: '' } }).finished
  assert.equal(again.code, 0, again.stderr)
  assert.equal(readFileSync(output, 'utf8'), await serialJob(input, CLASSIFIER))
  assert.deepEqual(readdirSync(folder).sort(), ['in.csv', 'out.csv'])
})

test('--resume says what it cannot resume', async t => {
  const folder = testFolder(t)
  const output = join(folder, 'out.csv')
  for (const [args, message] of [
    [['--resume', output], /there is no unfinished run in .*out\.csv\.rowmill: give IN and OUT/],
    [['in.csv', '--resume', output], /leave out IN and OUT/],
    [['in.csv'], /which files\? Give IN and OUT/],
  ] as const) {
    const { code, stderr } = await startRowmill(['run', ...args]).finished
    assert.equal(code, 2, stderr)
    assert.match(stderr, message)
  }
})

test('processes that a classifier started end with the run', async t => {
  const folder = testFolder(t)
  const [input, target, note] = ['in.csv', 'classifier.py', 'stat'].map(name => join(folder, name)) as [
    string,
    string,
    string,
  ]
  writeFileSync(input, 'ID,A\n1,x\n')
  const lines = [
    'import shutil, subprocess',
    "sleep = subprocess.Popen(['sleep', '1000'])",
    `shutil.copyfile(f'/proc/{sleep.pid}/stat', ${JSON.stringify(note)})`,
  ]
  writeFileSync(target, `${lines.join('\n')}\ndef classify_df(df):\n    return df\n`)
  const args = ['run', input, '-', '--classifier', target, '--workers', '1']
  const { code, stderr } = await startRowmill(args, { env: { ROWMILL_BROKERS: await brokerAddress() } }).finished
  assert.equal(code, 0, stderr)
  await untilGone([infoOf(readFileSync(note, 'utf8'))])
})

test('a complete run leaves no process and no temporary file', async t => {
  const folder = testFolder(t)
  const [input, output] = [join(folder, 'in.csv'), join(folder, 'out.csv')]
  writeFileSync(input, `ID,A\n${Array.from({ length: 10 }, (_, i) => `${i},x\n`).join('')}`)
  const { child, finished } = startRowmill(['run', input, output, '--classifier', CLASSIFIER, '--workers', '1'], {
    env: { ROWMILL_BROKERS: '', TMPDIR: folder },
  })
  let below: ProcessInfo[] = []
  child.stderr.on('data', chunk => {
    if (String(chunk).includes('at work')) below = descendants(child.pid!)
  })
  assert.equal((await finished).code, 0)
  assert.ok(below.length >= 4, 'worker, Python, guard and JVM were seen')
  await untilGone(below)
  assert.deepEqual(readdirSync(folder).sort(), ['in.csv', 'out.csv'])
})

/** Starts processes of every kind that outlive their parent; the file `note` gets a line of /proc/PID/stat for each. */
const DAEMONS = `
import os, subprocess, sys, time
def note(pid):
    with open(NOTE, 'a') as file:
        file.write(open(f'/proc/{pid}/stat').read())
note(subprocess.Popen(['sleep', '1001']).pid)
note(subprocess.Popen(['sleep', '1002'], start_new_session=True).pid)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.closerange(0, 64)
        note(os.getpid())
        time.sleep(1003)
    os._exit(0)
os.wait()
while len(open(NOTE).read().splitlines()) < 3:
    time.sleep(0.01)
print('daemons are up', flush=True)
def classify_df(df):
    if 'dies' in list(df['A']):
        os._exit(9)
    if 'waits' in list(df['A']):
        print('at work', flush=True)
        time.sleep(600)
`

async function withDaemons(t: TestContext, cell: string, workers: string) {
  const folder = testFolder(t)
  const [input, target, note] = ['in.csv', 'classifier.py', 'note'].map(name => join(folder, name)) as [
    string,
    string,
    string,
  ]
  writeFileSync(input, `ID,A\n1,${cell}\n`)
  writeFileSync(target, `NOTE = ${JSON.stringify(note)}\n${DAEMONS}`)
  const args = ['run', input, join(folder, 'out.csv'), '--classifier', target, '--workers', workers]
  const run = startRowmill(args, { env: { ROWMILL_BROKERS: await brokerAddress() } })
  t.after(() => run.child.kill('SIGKILL'))
  const daemons = () => readFileSync(note, 'utf8').trim().split('\n').map(infoOf)
  return { ...run, daemons }
}

// The Python of a single worker is started by itself. With two, it is forked from one that has imported pandas.
for (const [workers, way] of [
  ['1', 'alone'],
  ['2', 'in a forked Python'],
] as const) {
  test(`a daemon that a classifier started ${way} ends with a successful run, and is named`, async t => {
    const { finished, daemons } = await withDaemons(t, 'x', workers)
    const { code, stderr } = await finished
    assert.equal(code, 0, stderr)
    const [child, session, daemon] = daemons() as [ProcessInfo, ProcessInfo, ProcessInfo]
    await untilGone([child, session, daemon])
    const [said] = /rowmill: ended .*, left running by classifier .*classifier\.py/.exec(stderr) ?? ['']
    for (const { pid, name } of [session, daemon]) assert.ok(said.includes(`${name} (${pid})`), stderr)
    assert.ok(!said.includes(`(${child.pid})`), 'processes that stay in the group of their parent need not outlive it')
  })

  test(`a classifier ${way} that dies leaves none of its processes to the next one`, async t => {
    const { finished, daemons } = await withDaemons(t, 'dies', workers)
    assert.equal((await finished).code, 5)
    const all = daemons()
    assert.ok(all.length > 3, 'it was restarted')
    await untilGone(all)
  })

  for (const victim of ['the worker', 'the whole command'] as const) {
    test(`kill -9 of ${victim} leaves no daemon of a classifier ${way}`, async t => {
      const { child, daemons } = await withDaemons(t, 'waits', workers)
      for await (const line of createInterface(child.stderr)) if (line === 'at work') break
      const before = daemons()
      assert.equal(before.length, 3)
      const worker = descendants(child.pid!).find(isWorker)
      process.kill(victim === 'the worker' ? worker!.pid : child.pid!, 'SIGKILL')
      await untilGone(before)
    })
  }
}

function isWorker({ pid }: ProcessInfo): boolean {
  return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('worker-process')
}

test('processes that a TypeScript classifier started end with the run, and are named', async t => {
  const folder = testFolder(t)
  const [input, target, note] = ['in.csv', 'c.mts', 'note'].map(name => join(folder, name)) as [string, string, string]
  writeFileSync(input, 'ID,A\n1,x\n')
  const lines = [
    "import { spawn } from 'node:child_process'",
    "import { readFileSync, writeFileSync } from 'node:fs'",
    "const daemon = spawn('sleep', ['1004'], { detached: true, stdio: 'ignore' })",
    `writeFileSync(${JSON.stringify(note)}, readFileSync(\`/proc/\${daemon.pid}/stat\`))`,
    'export default (rows: string[][]) => rows',
  ]
  writeFileSync(target, `${lines.join('\n')}\n`)
  const args = ['run', input, '-', '--classifier', target, '--workers', '1']
  const { code, stderr } = await startRowmill(args, { env: { ROWMILL_BROKERS: await brokerAddress() } }).finished
  assert.equal(code, 0, stderr)
  const daemon = infoOf(readFileSync(note, 'utf8'))
  await untilGone([daemon])
  assert.match(stderr, new RegExp(`rowmill: ended .*\\(${daemon.pid}\\), left running by the classifier`))
})

test('a daemon that removes the mark of rowmill from its environment stays', async t => {
  const folder = testFolder(t)
  const [input, target, note] = ['in.csv', 'c.py', 'note'].map(name => join(folder, name)) as [string, string, string]
  writeFileSync(input, 'ID,A\n1,x\n')
  const lines = [
    'import shutil, subprocess',
    "daemon = subprocess.Popen(['env', '-u', 'ROWMILL_STARTED_BY', 'sleep', '1005'], start_new_session=True)",
    `while open(f'/proc/{daemon.pid}/comm').read() != 'sleep\\n': pass`,
    `shutil.copyfile(f'/proc/{daemon.pid}/stat', ${JSON.stringify(note)})`,
    'def classify_df(df): pass',
  ]
  writeFileSync(target, `${lines.join('\n')}\n`)
  const args = ['run', input, '-', '--classifier', target, '--workers', '1']
  const { code, stderr } = await startRowmill(args, { env: { ROWMILL_BROKERS: await brokerAddress() } }).finished
  assert.equal(code, 0, stderr)
  assert.doesNotMatch(stderr, /left running/)
  const { pid } = infoOf(readFileSync(note, 'utf8'))
  assert.ok(process.kill(pid, 'SIGKILL'), 'it is there to be killed')
})
