/** A Python that a fork server forked is as one that was started by itself, and ends as one. */
import assert from 'node:assert/strict'
import { existsSync, linkSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { openForkServer } from '../../src/classifier/open.ts'
import { PythonClassifier } from '../../src/classifier/python/python.ts'
import type { ForkServer, ForkServerOptions } from '../../src/python/fork-server.ts'
import { ManualTime } from '../helpers/manual-time.ts'
import { descendants, freeze, type ProcessInfo, untilGone } from '../helpers/processes.ts'
import { fixture, jobOf, PYTHON } from './serial.ts'

const BATCH = { job: jobOf({ columns: ['ID', 'A'], indexKind: 'integer' }), rows: [['1', '2']], seqs: [0] }

function testFolder(t: TestContext, files: Record<string, string> = {}): string {
  const folder = mkdtempSync(join(tmpdir(), 'rowmill-test-'))
  t.after(() => rmSync(folder, { recursive: true }))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
  return folder
}

function setVariable(t: TestContext, name: string, value: string): void {
  const before = process.env[name]
  process.env[name] = value
  t.after(() => {
    if (before === undefined) delete process.env[name]
    else process.env[name] = before
  })
}

function server(
  t: TestContext,
  target: string,
  more: Partial<Pick<ForkServerOptions, 'python' | 'say' | 'time'>> = {},
): ForkServer {
  const forks = openForkServer({ target, python: PYTHON, say: text => assert.fail(text), ...more })
  assert.ok(forks)
  t.after(() => forks.close())
  return forks
}

/** The server of a target that can be forked. */
async function serving(t: TestContext, target: string): Promise<ForkServer> {
  const forks = server(t, target)
  assert.notEqual(await forks.address, null)
  return forks
}

interface Start {
  readonly target: string
  readonly forks: ForkServer | null
  readonly onOutput?: (text: string) => void
  readonly memoryMB?: number | null
}

async function started(t: TestContext, { target, forks, onOutput = () => {}, memoryMB = null }: Start) {
  const classifier = new PythonClassifier({ python: PYTHON, target, onOutput, memoryMB, forks: forks?.address ?? null })
  t.after(() => classifier.close())
  await classifier.start()
  return classifier
}

/** The processes of Python below this one. */
function pythons() {
  return descendants(process.pid).filter(({ name }) => name.startsWith('python'))
}

/** A server, the pid of it, and a classifier that it forked. `all`: the processes of both. */
async function forked(t: TestContext) {
  const target = fixture('good.py:a_float')
  const forks = await serving(t, target)
  const [{ pid }] = pythons() as [ProcessInfo]
  const classifier = await started(t, { target, forks })
  return { target, forks, pid, classifier, all: pythons() }
}

test('the function sees the same in a process that was forked and in one that was started by itself', async t => {
  const target = fixture('sees_its_process.py')
  const folder = testFolder(t)
  const look = async (name: string, forks: ForkServer | null, memoryMB: number | null) => {
    setVariable(t, 'ROWMILL_TEST_SEEN', join(folder, name))
    await started(t, { target, forks, memoryMB })
    return JSON.parse(readFileSync(join(folder, name), 'utf8'))
  }
  for (const memoryMB of [null, 2000]) {
    setVariable(t, 'ROWMILL_TEST_SEEN', join(folder, 'forked'))
    const forks = await serving(t, target)
    const forked = [await look('forked', forks, memoryMB), await look('forked', forks, memoryMB)]
    const alone = await look('alone', null, memoryMB)
    for (const each of forked) assert.deepEqual(each.seen, alone.seen)
    assert.equal(alone.seen['has its own mark'], true)
    assert.deepEqual(alone.seen.kinds.slice(0, 3), ['/dev/null', 'pipe', 'pipe'])
    for (const key of ['pid', 'numpy', 'random'])
      assert.notEqual(forked[0].own[key], forked[1].own[key], `two processes have the same ${key}`)
    await forks.close()
  }
})

test('answers and output of a forked process are those of its function, and the versions are told', async t => {
  const target = join(
    testFolder(t, { 'c.py': 'print("loaded")\ndef classify_df(df):\n    print("called")\n    return df\n' }),
    'c.py',
  )
  const forks = await serving(t, target)
  const said: string[] = []
  const [forked, alone] = [
    await started(t, { target, forks, onOutput: text => said.push(text) }),
    await started(t, { target, forks: null }),
  ]
  assert.deepEqual(forked.runtime, alone.runtime)
  assert.deepEqual(forked.fingerprint, alone.fingerprint)
  assert.deepEqual(await forked.classify(BATCH), await alone.classify(BATCH))
  await forked.close()
  assert.equal(said.join(''), 'loaded\ncalled\n')
})

test('a process that the user code starts can write to /dev/stdout and /dev/stderr', async t => {
  const code = [
    'import subprocess',
    'def classify_df(df):',
    '    for name in ("/dev/stdout", "/dev/stderr", "/proc/self/fd/2"):',
    '        subprocess.run(f"echo said > {name}", shell=True, check=True)',
    '    return df',
  ]
  const target = join(testFolder(t, { 'c.py': code.join('\n') }), 'c.py')
  for (const forks of [await serving(t, target), null]) {
    let said = ''
    const classifier = await started(t, { target, forks, onOutput: text => (said += text) })
    await classifier.classify(BATCH)
    await classifier.close()
    assert.equal(said, 'said\n'.repeat(3))
  }
})

test('an interpreter may be a wrapper that starts Python as its child', async t => {
  const python = join(testFolder(t), 'python')
  writeFileSync(python, `#!/bin/sh\n'${PYTHON}' "$@"\nexit $?\n`, { mode: 0o755 })
  const target = fixture('good.py:a_float')
  const forks = server(t, target, { python })
  assert.notEqual(await forks.address, null)
  for (const address of [null, forks.address]) {
    const classifier = new PythonClassifier({ python, target, onOutput: text => assert.fail(text), forks: address })
    t.after(() => classifier.close())
    await classifier.start()
    assert.equal((await classifier.classify(BATCH)).rows.length, 1)
    await classifier.close()
  }
  await forks.close()
  assert.deepEqual(pythons(), [])
})

test('the user code is not loaded in the server', async t => {
  const folder = testFolder(t)
  const [target, note] = [join(folder, 'c.py'), join(folder, 'note')]
  writeFileSync(
    target,
    `import os\nopen(${JSON.stringify(note)}, 'a').write(f'{os.getpid()} ')\ndef classify_df(df): return df\n`,
  )
  const forks = await serving(t, target)
  assert.equal(existsSync(note), false)
  await started(t, { target, forks })
  await started(t, { target, forks })
  assert.equal(new Set(readFileSync(note, 'utf8').trim().split(' ')).size, 2)
})

test('a process that ends, or is killed, is told by its exit code or signal, and the server forks another', async t => {
  const target = fixture('bad.py:leaves')
  const forks = await serving(t, target)
  const left = await started(t, { target, forks })
  const facts = { exitCode: 7, signal: null }
  await assert.rejects(left.classify(BATCH), { code: 'CLASSIFIER_DIED', message: /exit code 7.*last words/s, facts })
  const known = new Set(pythons().map(({ pid }) => pid))
  const killed = await started(t, { target, forks })
  const [python] = pythons().filter(({ pid }) => !known.has(pid))
  process.kill(python!.pid, 'SIGKILL')
  await assert.rejects(killed.classify(BATCH), { code: 'CLASSIFIER_DIED', message: /signal SIGKILL/ })
})

test('if the server is killed, its processes end as killed ones, and the next ones are started by themselves', async t => {
  const { target, forks, pid, classifier, all } = await forked(t)
  assert.equal(all.length, 2)
  process.kill(pid, 'SIGKILL')
  await assert.rejects(
    (async () => {
      for (;;) await classifier.classify(BATCH)
    })(),
    { code: 'CLASSIFIER_DIED', message: /signal SIGKILL/ },
  )
  await untilGone(all)
  const next = await started(t, { target, forks })
  assert.equal((await next.classify(BATCH)).rows.length, 1)
  assert.equal(pythons().length, 1)
})

test('a server that does not answer is killed with its processes, and the next ones are started by themselves', async t => {
  const { target, forks, pid, classifier: before, all } = await forked(t)
  await freeze(pid)
  const said: string[] = []
  const next = await started(t, { target, forks, onOutput: text => said.push(text) })
  assert.equal((await next.classify(BATCH)).rows.length, 1)
  assert.match(
    said.join(''),
    /^rowmill: the fork server \(pid \d+\) did not answer for 5 s and was killed: each Python now starts by itself\n$/,
  )
  await assert.rejects(before.classify(BATCH), { code: 'CLASSIFIER_DIED', message: /signal SIGKILL/ })
  await untilGone(all)
})

/** A server that still imports pandas, its pid and clock, and what it says. */
function importing(t: TestContext) {
  const said: string[] = []
  const time = new ManualTime()
  const target = fixture('good.py:a_float')
  const forks = server(t, target, { say: text => said.push(text), time })
  const [{ pid }] = pythons() as [ProcessInfo]
  return { target, forks, pid, said, time }
}

test('a server that stands still while it imports pandas is killed after 30 s, and each Python is started by itself', async t => {
  const { target, forks, pid, said, time } = importing(t)
  await freeze(pid)
  const start = started(t, { target, forks })
  await time.pass(29_000)
  assert.deepEqual([said, pythons().map(each => each.pid)], [[], [pid]])
  await time.pass(1000)
  assert.equal(await forks.address, null)
  const text = `the fork server (pid ${pid}) did not import pandas within 30 s and was killed: each Python now starts by itself`
  assert.deepEqual(said, [text])
  const classifier = await start
  assert.equal((await classifier.classify(BATCH)).rows.length, 1)
  assert.deepEqual(
    pythons().filter(each => each.pid === pid),
    [],
  )
})

test('a server that is killed while it imports pandas is told, and each Python is started by itself', async t => {
  const { target, forks, pid, said } = importing(t)
  process.kill(pid, 'SIGKILL')
  const classifier = await started(t, { target, forks })
  assert.equal((await classifier.classify(BATCH)).rows.length, 1)
  assert.deepEqual(said, [
    'the fork server ended with signal SIGKILL before it served: each Python now starts by itself',
  ])
})

test('a server that is closed while it imports pandas says nothing', async t => {
  const { forks, said } = importing(t)
  await forks.close()
  assert.deepEqual([await forks.address, said, pythons()], [null, [], []])
})

test('a process of a server that stands still can be closed', async t => {
  const { pid, classifier, all } = await forked(t)
  await freeze(pid)
  await classifier.close()
  await untilGone(all)
})

test('closing the server ends its processes too, and leaves no folder', async t => {
  const { forks, all } = await forked(t)
  const address = await forks.address
  await Promise.all([forks.close(), forks.close()])
  await untilGone(all)
  assert.equal(existsSync(dirname(address!.socket)), false)
})

test('what a server left that was killed together with its command is removed by the next one, and nothing else', async t => {
  const temporary = testFolder(t)
  setVariable(t, 'TMPDIR', temporary)
  const target = fixture('good.py:a_float')
  const [killed, running] = [await serving(t, target), await serving(t, target)]
  const { server, socket } = (await killed.address)!
  const open = join(temporary, 'rowmill-forks-that-others-may-enter')
  mkdirSync(open, { mode: 0o755 })
  linkSync(socket, join(open, 'socket'))
  process.kill(server.pid, 'SIGKILL')
  await untilGone(pythons().filter(({ pid }) => pid === server.pid))
  const next = await serving(t, target)
  await next.close()
  assert.equal(existsSync(dirname(socket)), false)
  assert.equal(existsSync(open), true)
  assert.equal(existsSync(dirname((await running.address)!.socket)), true)
})

test('a classifier may be closed while the server is asked for its process', async t => {
  const target = fixture('good.py:a_float')
  const forks = server(t, target)
  const classifier = new PythonClassifier({ python: PYTHON, target, onOutput: () => {}, forks: forks.address })
  const start = assert.rejects(classifier.start(), { code: 'CLASSIFIER_DIED' })
  await classifier.close()
  await start
  await forks.close()
  assert.deepEqual(pythons(), [])
})

test('nothing is forked where an import prints, starts a thread, or comes from the folder of the classifier', async t => {
  const user = 'def classify_df(df): return df\n'
  const cases: [string, Record<string, string>][] = [
    ['prints', { 'sitecustomize.py': 'import os\nos.write(1, b"said\\n")\n' }],
    [
      'starts a thread',
      {
        'sitecustomize.py':
          'import threading, time\nthreading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n',
      },
    ],
    ['is ours', { 'decimal.py': 'from _pydecimal import *\n' }],
  ]
  for (const [what, files] of cases) {
    const folder = testFolder(t, { 'c.py': user, ...files })
    setVariable(t, 'PYTHONPATH', 'sitecustomize.py' in files ? folder : '')
    const target = join(folder, 'c.py')
    const forks = server(t, target)
    assert.equal(await forks.address, null, what)
    const classifier = await started(t, { target, forks })
    assert.equal((await classifier.classify(BATCH)).rows.length, 1)
  }
})

test('ROWMILL_FORK=false turns it off, and a wrong value is an error', t => {
  const target = { target: fixture('good.py:a_float'), python: PYTHON, say: () => {} }
  setVariable(t, 'ROWMILL_FORK', 'false')
  assert.equal(openForkServer(target), null)
  setVariable(t, 'ROWMILL_FORK', 'perhaps')
  assert.throws(() => openForkServer(target), { code: 'USAGE', message: /ROWMILL_FORK "perhaps"/ })
  setVariable(t, 'ROWMILL_FORK', '')
  assert.equal(openForkServer({ ...target, target: 'c.ts' }), null)
  setVariable(t, 'TMPDIR', join(tmpdir(), 'x'.repeat(100)))
  assert.equal(openForkServer(target), null)
})
