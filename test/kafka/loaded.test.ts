import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import test from 'node:test'

const ROOMS = ['kafka/index', 'work/worker', 'classifier/open'].map(name => import.meta.resolve(`../../src/${name}.ts`))
const PROGRAM = `
  for (const room of ${JSON.stringify(ROOMS)}) await import(room)
  console.log(JSON.stringify(process.moduleLoadList))`

test('a worker on a cluster without TLS loads neither node:tls nor node:http', () => {
  const printed = execFileSync(process.execPath, ['--input-type=module', '--eval', PROGRAM], { encoding: 'utf8' })
  const loaded: string[] = JSON.parse(printed)
  assert.ok(loaded.includes('NativeModule net'), 'the list has other names in this Node')
  const heavy = ['tls', 'http', 'https', 'internal/deps/undici/undici'].map(name => `NativeModule ${name}`)
  assert.deepEqual(
    loaded.filter(name => heavy.includes(name)),
    [],
  )
})
