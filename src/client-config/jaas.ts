/** One entry of `sasl.jaas.config`: `org.example.LoginModule required username="u" password='p';`. */
export interface JaasEntry {
  /** The name of the class, without its package. */
  readonly module: string
  readonly options: Readonly<Record<string, string>>
}

/** The login modules whose options we know, for the mechanisms that we have. */
const MODULES = ['PlainLoginModule', 'ScramLoginModule', 'OAuthBearerLoginModule', 'IAMLoginModule']
const FLAGS = ['required', 'requisite', 'sufficient', 'optional']
const TOKEN = /"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|([=;])|([^\s="';]+)/sy
const BLANK = /(?:\s|\/\/[^\n]*|\/\*.*?\*\/)*/sy

/** Reads the value of `sasl.jaas.config`. Throws an error that says what is wrong, and never what the value is. */
export function parseJaas(text: string): JaasEntry {
  const tokens = tokensOf(text)
  const [module, flag, ...rest] = tokens
  if (flag === '{') throw new Error('give only what is between { and }, without the name before them')
  if (module === undefined || flag === undefined || !FLAGS.includes(flag.toLowerCase()))
    throw new Error('it must begin with the class of a login module and the word required')
  if (rest.pop() !== ';') throw new Error('it must end with a semicolon')
  if (FLAGS.includes(rest[rest.indexOf(';') + 2]?.toLowerCase() ?? ''))
    throw new Error('it has two login modules. Give one')
  const name = module.split('.').at(-1)!
  if (!MODULES.includes(name)) throw new Error(`its login module must be one of ${MODULES.join(', ')}`)
  const options: Record<string, string> = {}
  for (let at = 0; at < rest.length; at += 3) {
    const [option, equals, value] = rest.slice(at, at + 3)
    if (equals !== '=' || value === undefined || value === ';')
      throw new Error('its options must be NAME="VALUE", with spaces between them and one semicolon at the end')
    options[option!] = value
  }
  return { module: name, options }
}

function tokensOf(text: string): string[] {
  const tokens: string[] = []
  for (let at = afterBlank(text, 0); at < text.length; at = afterBlank(text, TOKEN.lastIndex)) {
    TOKEN.lastIndex = at
    const found = TOKEN.exec(text)
    if (!found) throw new Error('a quote is not closed')
    const [, double, single, mark, word] = found
    tokens.push(mark ?? word ?? unescaped(double ?? single!))
  }
  return tokens
}

/** Where the next token begins. */
function afterBlank(text: string, at: number): number {
  BLANK.lastIndex = at
  BLANK.exec(text)
  return BLANK.lastIndex
}

/** As Java reads a string: \t and the like are one character, \101 is A, and a backslash before any other gives that one. */
function unescaped(quoted: string): string {
  const named: Record<string, string> = { t: '\t', n: '\n', r: '\r', f: '\f', b: '\b', a: '\x07', v: '\v' }
  return quoted.replace(/\\([0-3]?[0-7]{1,2}|.)/gs, (_, char: string) =>
    /[0-7]/.test(char) ? String.fromCharCode(Number.parseInt(char, 8)) : (named[char] ?? char),
  )
}
