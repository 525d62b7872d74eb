import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import test from 'node:test'

const ROOMS = ['server', 'meter', 'page/page-feed'].map(name => import.meta.resolve(`../../src/monitor/${name}.ts`))
const PROGRAM = `
  for (const room of ${JSON.stringify(ROOMS)}) await import(room)
  console.log(JSON.stringify(process.moduleLoadList))`

test('a command that serves HTTP loads no HTTP client', () => {
  const printed = execFileSync(process.execPath, ['--input-type=module', '--eval', PROGRAM], { encoding: 'utf8' })
  const loaded: string[] = JSON.parse(printed)
  assert.ok(loaded.includes('NativeModule http'), 'the list has other names in this Node')
  assert.deepEqual(
    loaded.filter(name => /undici|websocket/i.test(name)),
    [],
  )
})
