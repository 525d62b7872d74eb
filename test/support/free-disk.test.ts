import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { freeDiskBytes, freeDiskBytesOnceMade } from '../../src/support/free-disk.ts'

test('a folder that is not there yet has the room of the disk that it will be on', async () => {
  const here = await freeDiskBytes(import.meta.dirname)
  assert.ok(here > 0)
  const notYet = join(import.meta.dirname, 'not', 'yet')
  await assert.rejects(freeDiskBytes(notYet), { code: 'ENOENT' })
  const later = await freeDiskBytesOnceMade(notYet)
  assert.ok(Math.abs(later - here) < 1024 ** 3, `${here} and ${later}`) // others write meanwhile
})

test('a path through a file has no disk, and says so', async () => {
  await assert.rejects(freeDiskBytesOnceMade(join(import.meta.filename, 'below')), { code: 'ENOTDIR' })
})
