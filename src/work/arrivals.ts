/** When the messages of a partition came, as far as their batches need it: messages that came together have one entry. */
export class Arrivals {
  readonly #came: { readonly offset: number; readonly at: number }[] = []

  note(offset: number, at: number): void {
    if (this.#came.at(-1)?.at !== at) this.#came.push({ offset, at })
  }

  /** When this message came. Forgets those before it. Null: none was noted. */
  of(offset: number): number | null {
    while (this.#came.length > 1 && this.#came[1]!.offset <= offset) this.#came.shift()
    return this.#came[0]?.at ?? null
  }
}
