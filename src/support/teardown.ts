/** What was opened and must be closed, the last first. */
export class Teardown {
  readonly #closers: (() => Promise<unknown>)[] = []

  add(close: () => Promise<unknown>): void {
    this.#closers.push(close)
  }

  /** Closes everything, also if something fails to close: then rejects with the first such error. Twice is fine. */
  async close(): Promise<void> {
    const errors: unknown[] = []
    for (const close of this.#closers.splice(0).reverse()) await close().catch(error => errors.push(error))
    if (errors.length > 0) throw errors[0]
  }
}
