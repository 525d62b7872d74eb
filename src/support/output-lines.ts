import { StringDecoder } from 'node:string_decoder'

const LONGEST_LINE = 8192
const LAST_LINES = 20
const LAST_CHARACTERS = 4000

/** Forwards the output of a process in whole lines. It holds back one unfinished line; a very long line goes in pieces. */
export class LineForwarder {
  readonly #onOutput: (text: string) => void
  readonly #decoder = new StringDecoder('utf8')
  #unfinished = ''

  constructor(onOutput: (text: string) => void) {
    this.#onOutput = onOutput
  }

  push(chunk: Buffer): void {
    const text = this.#unfinished + this.#decoder.write(chunk)
    const end = text.lastIndexOf('\n') + 1
    const whole = text.length - end > LONGEST_LINE ? text.length : end
    this.#unfinished = text.slice(whole)
    if (whole > 0) this.#onOutput(text.slice(0, whole))
  }

  end(): void {
    const text = this.#unfinished + this.#decoder.end()
    this.#unfinished = ''
    if (text !== '') this.#onOutput(`${text}\n`)
  }
}

/** Keeps the last lines of an output, for the message about the end of its process. */
export class LastLines {
  #text = ''

  add(text: string): void {
    this.#text = (this.#text + text).slice(-LAST_CHARACTERS)
  }

  text(): string {
    return this.#text.trimEnd().split('\n').slice(-LAST_LINES).join('\n')
  }
}
