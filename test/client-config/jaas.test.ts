import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseJaas } from '../../src/client-config/jaas.ts'

const options = (text: string) => parseJaas(`org.example.PlainLoginModule required ${text}`).options

test('a login module is read as Java reads it', () => {
  assert.deepEqual(parseJaas('org.example.PlainLoginModule required username="a" password="b";'), {
    module: 'PlainLoginModule',
    options: { username: 'a', password: 'b' },
  })
  assert.deepEqual(options(`username='a' password='b';`), { username: 'a', password: 'b' })
  assert.deepEqual(options('username = "a"  password= "b" ;\n'), { username: 'a', password: 'b' })
  assert.deepEqual(options('debug=true username="";'), { debug: 'true', username: '' })
  assert.deepEqual(options(';'), {})
  assert.deepEqual(parseJaas('PlainLoginModule REQUIRED username="a";').options, { username: 'a' })
})

test('quotes, escapes and separators inside a value belong to it', () => {
  assert.deepEqual(options(String.raw`password="a\"b\\c\td\101\q";`), { password: 'a"b\\c\tdAq' })
  assert.deepEqual(options(`password='say "x"';`), { password: 'say "x"' })
  assert.deepEqual(options('username="$ConnectionString" password="Endpoint=sb://n/;Key=a=;//b/*c*/";'), {
    username: '$ConnectionString',
    password: 'Endpoint=sb://n/;Key=a=;//b/*c*/',
  })
  assert.deepEqual(options('/* one */ username="a" // two\n password="b";'), { username: 'a', password: 'b' })
})

test('what is no login module is refused without its text', () => {
  for (const [text, message] of [
    ['', /must begin with the class/],
    ['PlainLoginModule username="Hunter2";', /must begin with the class/],
    ['PlainLoginModule required username="Hunter2"', /must end with a semicolon/],
    ['PlainLoginModule required username="Hunter2', /a quote is not closed/],
    ['PlainLoginModule required username Hunter2;', /must be NAME="VALUE"/],
    ['PlainLoginModule required username=;', /must be NAME="VALUE"/],
    ['PlainLoginModule required a="Hunter2"; B required b="c";', /has two login modules\. Give one/],
    ['PlainLoginModule required a="Hunter2"; b="c";', /must be NAME="VALUE"/],
    ['my.LoginModule required a="Hunter2";', /module must be one of PlainLoginModule, ScramLoginModule, OAuth/],
    ['KafkaClient { PlainLoginModule required a="Hunter2"; };', /give only what is between \{ and \}/],
  ] as const)
    assert.throws(
      () => parseJaas(text),
      (error: Error) => message.test(error.message) && !error.message.includes('Hunter2'),
      text,
    )
})
