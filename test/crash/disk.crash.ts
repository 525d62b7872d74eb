/** A disk under OUT that is full, or breaks: no OUT, the reason, and the command that resumes later. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { constants, existsSync, mkdtempSync, readdirSync, rmdirSync, truncateSync, writeFileSync } from 'node:fs'
import { access } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { type Finished, testFolder } from '../helpers/cli.ts'
import { whyNoDisk } from '../helpers/small-disk.ts'
import { until } from '../helpers/until.ts'
import { assertCode, CLASSIFIER, Fire, ONE_MOVES } from './fire.ts'

const execute = promisify(execFile)

/** Why this machine cannot provide the disks of these tests: root may not be enough in a container. False if it can. */
async function obstacle(need: () => Promise<unknown>): Promise<string | false> {
  if (process.getuid?.() !== 0) return 'needs root, to mount a disk'
  return await need().then(
    () => false,
    ({ message }) => `needs a machine that lets disks be mounted: ${message}`,
  )
}

/** A disk cannot be filled unless it is a separate one. */
const skip = await whyNoDisk()
/** Nor broken. */
const skipBreaking =
  skip ||
  (await obstacle(async () => {
    await execute('losetup', ['--find'])
    await execute('mkfs.ext2', ['-V'])
    await access('/sys/fs/ext4', constants.W_OK)
  }))

/** Mounts a disk until the test ends; returns an OUT on it. */
async function mount(t: TestContext, ...what: readonly string[]): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'rowmill-disk-'))
  t.after(async () => {
    await execute('umount', ['--lazy', folder]) // lazy: processes of a failed test may still have files open
    rmdirSync(folder)
  })
  await execute('mount', [...what, folder])
  return join(folder, 'out.csv')
}

/** A disk with this much space, in pages of 4 kB. */
const diskOf = (t: TestContext, size: string) => mount(t, '-t', 'tmpfs', '-o', `size=${size}`, 'rowmill-test')

const resize = (output: string, size: string) => execute('mount', ['-o', `remount,size=${size}`, dirname(output)])

const RUN_OPTIONS = ['--classifier', CLASSIFIER, '--workers', '2', '--job', 'j']

function assertFailed(finished: Finished, output: string, reason: RegExp): void {
  assertCode(finished, 1)
  const [said = ''] = /^.*\[OUTPUT_FAILED\]$/m.exec(finished.stderr) ?? []
  assert.ok(said.startsWith(`rowmill: cannot write ${output}`), finished.stderr)
  assert.match(said, reason)
  assert.equal(existsSync(output), false)
}

/** The command in the last line of the output. */
function toGoOn({ stderr }: Finished): string[] {
  const [, command] = /\nrowmill: to resume: rowmill (.*)\n$/.exec(stderr) ?? []
  assert.ok(command, `a command in the last line: ${stderr}`)
  return command.split(' ')
}

test('collect on a disk that fills up resumes at its last checkpoint, once there is room', { skip }, async t => {
  const output = await diskOf(t, '128k')
  const fire = await Fire.open(t, { rows: 6000, output })
  const working = fire.work(2)
  const published = fire.publish()
  const failed = await fire.collect().finished
  assertFailed(failed, output, /ENOSPC/)
  assert.deepEqual(
    readdirSync(`${output}.rowmill`)
      .map(name => name.replace(/-.*/, ''))
      .sort(),
    ['checkpoint', 'partial'],
  )
  await resize(output, '4m')
  const again = await fire.start(toGoOn(failed)).finished
  assertCode(again, 0)
  assert.match(again.stderr, /resuming job \S+ at row [1-9]/)
  assertCode(await published.finished, 0)
  await fire.drain(working)
  await fire.check({ again: ONE_MOVES })
})

/** Leaves this many free pages on a disk. */
const fill = (output: string, left: number, pages = 3) =>
  writeFileSync(join(dirname(output), 'filler'), Buffer.alloc((pages - left) * 4096))

test('run on a full disk leaves nothing until there is a job; then it resumes, once there is room', {
  skip,
}, async t => {
  const output = await diskOf(t, '16k')
  const fire = await Fire.open(t, { output })
  const begin = () => fire.start(['run', fire.input, output, ...RUN_OPTIONS]).finished
  for (const room of [0, 1, 2]) {
    fill(output, room, 4) // for the state that identifies the run, and for its next version beside it
    assertFailed(await begin(), output, /ENOSPC/)
    assert.deepEqual(readdirSync(dirname(output)), ['filler'])
  }
  fill(output, 3, 4)
  const failed = await begin()
  assertFailed(failed, output, /ENOSPC/)
  await resize(output, '4m')
  assertCode(await fire.start(toGoOn(failed)).finished, 0)
  await fire.check({ again: fire.rows })
})

test('collect on a full disk leaves nothing and resumes, once there is room', { skip }, async t => {
  const output = await diskOf(t, '12k')
  const fire = await Fire.open(t, { output })
  const working = fire.work(2)
  assertCode(await fire.publish().finished, 0)
  for (const room of [0, 1]) {
    fill(output, room) // for the lock; and for the first rows
    const failed = await fire.collect().finished
    assertFailed(failed, output, /ENOSPC/)
    assert.deepEqual(toGoOn(failed), ['collect', output, '--job', 'j'])
    assert.deepEqual(readdirSync(dirname(output)), ['filler'])
  }
  await resize(output, '4m')
  assertCode(await fire.collect().finished, 0)
  await fire.drain(working)
  await fire.check({ again: ONE_MOVES })
})

interface Disk {
  readonly output: string
  readonly break: () => Promise<unknown>
  readonly mend: () => Promise<unknown>
}

async function diskInFile(t: TestContext): Promise<{ image: string; device: string }> {
  const image = join(testFolder(t), 'image')
  await execute('truncate', ['--size', '32M', image])
  // All metadata of the file system is at the near end.
  await execute('mkfs.ext2', ['-q', '-b', '4096', '-N', '64', '-O', '^resize_inode', image])
  const device = (await execute('losetup', ['--find', '--show', image])).stdout.trim()
  t.after(() => execute('losetup', ['--detach', device]))
  return { image, device }
}

/** Its far end breaks: writes there are lost, and fsync reports it. */
async function diskThatLoses(t: TestContext): Promise<Disk> {
  const { image, device } = await diskInFile(t)
  const output = await mount(t, device)
  const cut = (bytes: number) => {
    truncateSync(image, bytes)
    return execute('losetup', ['--set-capacity', device])
  }
  return { output, break: () => cut(64 * 1024), mend: () => cut(32 * 1024 * 1024) }
}

/** As the kernel leaves a disk after an error: nothing can be written or removed. */
async function diskMadeReadOnly(t: TestContext): Promise<Disk> {
  const { device } = await diskInFile(t)
  const output = await mount(t, '-t', 'ext4', '-o', 'errors=remount-ro', device)
  const mend = async () => {
    await execute('umount', [dirname(output)])
    await execute('mount', [device, dirname(output)])
  }
  const trigger = `/sys/fs/ext4/${basename(device)}/trigger_fs_error`
  return { output, break: async () => writeFileSync(trigger, 'rowmill-test'), mend }
}

for (const [what, make, reason] of [
  ['loses what is written (EIO)', diskThatLoses, /EIO/],
  ['is made read-only (EROFS)', diskMadeReadOnly, /EROFS/],
] as const) {
  test(`collect on a disk that ${what} resumes at its last checkpoint, once the disk works again`, {
    skip: skipBreaking,
  }, async t => {
    const disk = await make(t)
    const fire = await Fire.open(t, { rows: 6000, output: disk.output })
    const working = fire.work(2)
    const [published, collected] = [fire.publish(), fire.collect()]
    await until('there is a checkpoint', () => existsSync(`${disk.output}.rowmill/checkpoint`))
    await disk.break()
    const failed = await collected.finished
    assertFailed(failed, disk.output, reason)
    await disk.mend()
    const again = await fire.start(toGoOn(failed)).finished
    assertCode(again, 0)
    assert.match(again.stderr, /resuming job \S+ at row [1-9]/)
    assertCode(await published.finished, 0)
    await fire.drain(working)
    await fire.check({ again: ONE_MOVES })
  })
}
