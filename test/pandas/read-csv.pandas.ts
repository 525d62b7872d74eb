import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { READ_CSV_DEFAULTS } from '../../src/pandas/read-csv.ts'
import { python } from '../helpers/python.ts'

const HOST = fileURLToPath(new URL('../../src/classifier/python', import.meta.url))

test('the Python host reads with the defaults that the job record has', async () => {
  const program = 'import json, host_frame; print(json.dumps(host_frame.READ_CSV))'
  const { stdout } = await promisify(execFile)(python, ['-c', program], { cwd: HOST })
  const { engine, ...defaults } = READ_CSV_DEFAULTS
  assert.equal(engine, 'python') // TextParser is that engine, and has no such argument
  assert.deepEqual(JSON.parse(stdout), defaults)
})
