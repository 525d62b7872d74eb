import assert from 'node:assert/strict'
import { chmodSync, chownSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { takeBrokerDirectory } from '../../src/broker/jvm/broker-directory.ts'
import { testFolder } from '../helpers/cli.ts'

const skip = process.getuid?.() === 0 ? false : 'only root can give a file to another user'
const OTHER = 1234

function folder(t: TestContext, mode = 0o755): string {
  const path = join(testFolder(t), 'kept')
  mkdirSync(path)
  chmodSync(path, mode)
  return path
}

async function refusal(path: string, isPrivate: boolean): Promise<string> {
  const { code, message } = await takeBrokerDirectory(path, isPrivate).then(
    () => assert.fail('it was taken'),
    error => error,
  )
  assert.equal(code, 'USAGE', message)
  assert.ok(!message.includes('\n'), message)
  return message
}

for (const isPrivate of [true, false]) {
  const how = isPrivate ? 'private' : 'open'

  test(`a data directory of another user is refused and unchanged, even by root (${how})`, { skip }, async t => {
    const path = folder(t)
    chownSync(path, OTHER, OTHER)
    const expected =
      /^the data directory \S+kept belongs to the user with id 1234, who can .*Choose another with --data/
    assert.match(await refusal(path, isPrivate), expected)
    symlinkSync(path, `${path}.link`)
    assert.match(await refusal(`${path}.link`, isPrivate), expected)
    assert.equal(statSync(path).mode & 0o777, 0o755)
  })

  test(`a data directory with a file of another user is refused (${how})`, { skip }, async t => {
    const path = folder(t)
    writeFileSync(join(path, 'client.properties'), '')
    chownSync(join(path, 'client.properties'), OTHER, OTHER)
    assert.match(await refusal(path, isPrivate), /has client\.properties of the user with id 1234\. Move that away/)
  })
}

test('a data directory that others may write to is refused, or made private with --auth', async t => {
  const path = folder(t, 0o777)
  assert.match(await refusal(path, false), /kept may be written to by other users\. .*chmod go-w .*--data/)
  const taken = await takeBrokerDirectory(path, true)
  await taken.release()
  assert.equal(statSync(path).mode & 0o777, 0o700)
})

test('a new data directory has mode 0700, and what rowmill writes there 0600', async t => {
  const path = join(testFolder(t), 'above', 'new')
  const taken = await takeBrokerDirectory(path)
  t.after(() => taken.release())
  const modes = [path, join(path, 'owner.json')].map(name => statSync(name).mode & 0o777)
  assert.deepEqual(modes, [0o700, 0o600])
})
