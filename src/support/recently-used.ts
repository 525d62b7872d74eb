/** Values by key, made when they are first asked for. Only those used last are remembered. */
export class RecentlyUsed<T> {
  readonly #values = new Map<string, T>()
  readonly #most: number
  readonly #make: () => T

  constructor(most: number, make: () => T) {
    this.#most = most
    this.#make = make
  }

  of(key: string): T {
    const value = this.#values.get(key) ?? this.#make()
    this.#values.delete(key)
    this.#values.set(key, value)
    const [oldest] = this.#values.keys()
    if (this.#values.size > this.#most) this.#values.delete(oldest!)
    return value
  }
}
