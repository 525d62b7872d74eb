import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { DoctorContext, Status } from '../../src/doctor/check.ts'
import { examine } from '../../src/doctor/doctor.ts'
import { type Machine, thisMachine } from '../../src/doctor/machine.ts'
import { testFolder } from '../helpers/cli.ts'
import { allOf, contextWith, expectFinding, findingsOf, machineWith } from '../helpers/doctor.ts'

const PYTHON_WITHOUT_PANDAS = join(import.meta.dirname, '../fixtures/python-without-pandas')

async function expectFault(check: string, more: Partial<DoctorContext>, fault: [Status, RegExp, RegExp]) {
  expectFinding(await findingsOf(check, more), fault)
}

const on = (faults: Partial<Machine>) => ({ machine: machineWith(faults) })

test('an old Node is a failure', async () => {
  await expectFault('node', on({ nodeVersion: '22.17.1' }), ['failure', /22\.17\.1/, /22\.18/])
})

test('a PATH without Java, Maven and Python: two warnings and a failure', async t => {
  const env = { PATH: testFolder(t) }
  await expectFault('java', on({ env }), ['warning', /needs Java/, /install Java 17/])
  await expectFault('maven', on({ env }), ['warning', /no mvn on PATH/, /--brokers HOST:PORT/])
  await expectFault('python', { ...on({ env }), python: 'python3' }, ['failure', /no python3 on PATH/, /--python PATH/])
})

test('a Python without pandas, one that is too old, and a program that is no Python', async t => {
  await expectFault('python', { python: PYTHON_WITHOUT_PANDAS }, ['failure', /has no pandas/, /--python PATH/])
  const folder = testFolder(t)
  const old = script(folder, 'old', 'echo 3.7.1; echo 1.5.0')
  await expectFault('python', { python: old }, ['failure', /Python 3\.7\.1/, /Python 3\.8 and pandas 1\.5/])
  const broken = script(folder, 'broken', 'echo no snakes here >&2; exit 3')
  await expectFault('python', { python: broken }, ['failure', /does not work: no snakes here/, /--python PATH/])
})

function script(folder: string, name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, `#!/bin/sh\n${text}\n`, { mode: 0o755 })
  return path
}

test('a low limit of open files', async () => {
  await expectFault('open-files', on({ openFiles: 64 }), ['failure', /64 files/, /needs \d+ open files/])
  await expectFault('open-files', on({ openFiles: 512 }), ['warning', /512 files/, /room for \d+ partitions/])
})

test('a codec without its package', async () => {
  const checkCodec = (codec: string) => {
    if (codec === 'lz4') throw new Error('no binary')
  }
  await expectFault('codecs', on({ checkCodec }), ['warning', /no lz4/, /It has gzip, snappy, zstd/])
})

test('a full disk: of the cache, of TMPDIR, and of OUT', async t => {
  const full = on({ freeBytes: async () => 1024 * 1024 })
  await expectFault('cache-disk', full, ['failure', /has 1 MB free/, /ROWMILL_CACHE/])
  await expectFault('temporary-disk', full, ['failure', /has 1 MB free/, /TMPDIR/])
  const out = join(testFolder(t), 'out.csv')
  await expectFault('out-disk', { ...full, out }, ['failure', /has 1 MB free/, /another disk/])
  const almost = on({ freeBytes: async () => 400 * 1024 * 1024 })
  await expectFault('out-disk', { ...almost, out }, ['warning', /400 MB free/, /make room/])
})

/** A disk can be full only if it is a separate one. */
const skip = process.getuid?.() === 0 ? false : 'needs root, to mount a disk'

test('a real disk that is full', { skip }, async t => {
  const disk = mkdtempSync(join(tmpdir(), 'rowmill-disk-'))
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'rowmill-test', disk])
  t.after(() => {
    execFileSync('umount', [disk])
    rmdirSync(disk)
  })
  const { freeBytes } = thisMachine()
  const full = on({ freeBytes, cacheFolder: disk, temporaryFolder: disk })
  await expectFault('cache-disk', full, ['failure', /has 1 MB free/, /export ROWMILL_CACHE=FOLDER/])
  await expectFault('temporary-disk', full, ['failure', /has 1 MB free/, /export TMPDIR=FOLDER/])
  await expectFault('out-disk', { ...full, out: join(disk, 'out.csv') }, ['failure', /has 1 MB free/, /another disk/])
})

test('OUT in a folder that does not exist, which no command creates', async t => {
  const later = join(testFolder(t), 'later')
  await expectFault('out-disk', { out: join(later, 'out.csv') }, ['failure', /there is no folder .*later/, /mkdir -p/])
})

test('OUT below something that is no folder', async t => {
  const file = join(testFolder(t), 'file')
  writeFileSync(file, '')
  await expectFault('out-disk', { out: join(file, 'out.csv') }, ['failure', /file is no folder/, /another disk/])
})

test('without faults every line is ok, and without a cluster there are lines of this machine alone', async () => {
  const lines = (await allOf(examine(contextWith()))).map(({ check, findings }) => [check, findings[0]!.status])
  const checks = [
    'node',
    'java',
    'maven',
    'python',
    'open-files',
    'codecs',
    'cache-disk',
    'temporary-disk',
    'kept-broker',
  ]
  assert.deepEqual(
    lines,
    checks.map(check => [check, 'ok']),
  )
})
